import { commands, l10n, Uri } from "vscode";
import { given } from "../../base/given.ts";
import { refuse } from "../failures/raise.ts";
import type { CommandsOf } from "../window/commandIds.ts";
import {
  askFolder,
  type ChooseDeps,
  chooseWorkspace,
  placeIn,
} from "./folders.ts";
import type { WorkspaceLogs } from "./logs.ts";
import { type OpenDeps, workspaceOpener } from "./open.ts";
import { changeSecrets } from "./secrets.ts";

export interface WorkspaceCommandDeps extends OpenDeps, ChooseDeps {
  readonly logs: WorkspaceLogs;
}

/** A folder in a VM of its own: open it there, come back, see what its commands said, give it secrets. */
export function workspaceCommands(
  deps: WorkspaceCommandDeps,
): CommandsOf<
  | "guesthouse.reopenInMachine"
  | "guesthouse.openFolderInMachine"
  | "guesthouse.reopenLocally"
  | "guesthouse.showWorkspaceLog"
  | "guesthouse.setSecrets"
> {
  const { settings, logs } = deps;
  const upAndOpen = workspaceOpener(deps);
  return {
    async "guesthouse.reopenInMachine"(offered) {
      const folder = placeIn(offered)?.folder ?? (await askFolder(undefined));
      if (folder !== undefined) await upAndOpen({ folder }, "currentWindow");
    },

    async "guesthouse.openFolderInMachine"(clicked) {
      const named = placeIn(clicked);
      if (named !== undefined) return upAndOpen(named, settings().openIn);
      const folder = await askFolder(clicked);
      if (folder !== undefined) await upAndOpen({ folder }, settings().openIn);
    },

    "guesthouse.reopenLocally": () => reopenLocally(deps),

    async "guesthouse.showWorkspaceLog"(folder) {
      const title = l10n.t("Show Workspace Log");
      const chosen = await chooseWorkspace(deps, folder, title);
      if (chosen !== undefined) await logs.show(chosen);
    },

    "guesthouse.setSecrets": () => setSecrets(deps),
  };
}

async function reopenLocally(deps: WorkspaceCommandDeps): Promise<void> {
  const title = l10n.t("Reopen Locally");
  const chosen = await chooseWorkspace(deps, undefined, title);
  if (chosen?.url !== undefined)
    return refuse(
      "workspaces.notSupported",
      l10n.t(
        "{0} was cloned for its VM; there is no folder of it on this computer.",
        chosen.title,
      ),
    );
  if (chosen !== undefined)
    await commands.executeCommand(
      "vscode.openFolder",
      Uri.file(chosen.folder),
      { forceReuseWindow: true },
    );
}

async function setSecrets(deps: WorkspaceCommandDeps): Promise<void> {
  const title = l10n.t("Set Secrets");
  const chosen = await chooseWorkspace(deps, undefined, title);
  if (chosen === undefined) return;
  const { folder, config, branch } = chosen;
  const read = await deps.call("workspaces.read", {
    folder,
    ...given({ config, branch }),
  });
  await changeSecrets(read, `${title} · ${chosen.title}`, deps.secrets);
}
