import { basename } from "node:path";
import { commands, l10n, Uri, window } from "vscode";
import type { Workspace } from "../../protocol/devcontainers.ts";
import type { Machine } from "../../protocol/machines.ts";
import type { CommandsOf } from "../commandIds.ts";
import { refuse } from "../failures/raise.ts";
import { deleteMachine } from "../machines/deleteMachine.ts";
import { bringBackWork } from "./bringBack.ts";
import {
  currentWorkspace,
  findWorkspace,
  localFolder,
  placeKey,
  type Wish,
} from "./folders.ts";
import type { WorkspaceLogs } from "./logs.ts";
import { fetchClone, type OpenDeps, workspaceOpener } from "./open.ts";
import { changeSecrets } from "./secrets.ts";

/** A folder in a VM of its own: open it there, come back, make the VM anew, see what its commands said. */
export function workspaceCommands(
  deps: OpenDeps & {
    readonly logs: WorkspaceLogs;
    /** Settles once the records are here. */
    readonly loaded: () => Promise<void>;
  },
): CommandsOf<
  | "guesthouse.reopenInMachine"
  | "guesthouse.openFolderInMachine"
  | "guesthouse.rebuildMachine"
  | "guesthouse.rebuildMachineWithoutCache"
  | "guesthouse.reopenLocally"
  | "guesthouse.showWorkspaceLog"
  | "guesthouse.setSecrets"
> {
  const { call, workspaces, settings, secrets, logs, loaded } = deps;
  const ask = {
    title: l10n.t("Folder to open in its VM"),
    openLabel: l10n.t("Open in VM"),
  };

  const upAndOpen = workspaceOpener(deps);

  /** By the folder that failed, else the one that is open, else the one that the user picks. */
  const chooseWorkspace = async (
    folder: unknown,
    title: string,
  ): Promise<Workspace | undefined> => {
    await loaded();
    const named = workspaces.all().find((each) => placeKey(each) === folder);
    const found = named ?? currentWorkspace(workspaces);
    if (found !== undefined) return found;
    const items = workspaces.all().map((each) => ({
      label: each.title,
      description: each.folder,
      workspace: each,
    }));
    if (items.length === 0)
      return refuse(
        "workspaces.unknown",
        l10n.t("No folder was opened in a VM yet."),
      );
    return (await window.showQuickPick(items, { title }))?.workspace;
  };

  const rebuild = async (wish: Pick<Wish, "prebuild"> = {}): Promise<void> => {
    await loaded();
    const current = currentWorkspace(workspaces);
    const folder = current?.folder ?? (await localFolder(undefined, ask));
    if (folder === undefined) return;
    const place = { folder, branch: current?.branch };
    const known = findWorkspace(workspaces, place);
    const id = known?.machine?.id;
    // Where there is none, nothing is lost.
    if (id !== undefined) {
      const yes = l10n.t("Rebuild");
      const answer = await window.showWarningMessage(
        l10n.t("Rebuild the VM of {0}?", basename(folder)),
        {
          modal: true,
          detail: l10n.t(
            "The VM is deleted with everything in it, and a new one is made of the folder on this computer.",
          ),
        },
        yes,
      );
      if (answer !== yes) return;
      const { machine } = await call("machines.show", { machine: id });
      const bringBack = (held: Machine): Promise<void> =>
        bringBackWork(call, held);
      if (!(await deleteMachine(call, machine, bringBack))) return;
    }
    const url = known?.url;
    const isCloned = url !== undefined;
    if (isCloned) await fetchClone(deps, url, place.branch);
    await upAndOpen({ ...place, ...wish, isCloned }, "currentWindow");
  };

  return {
    async "guesthouse.reopenInMachine"() {
      const folder = await localFolder(undefined, ask);
      if (folder !== undefined) await upAndOpen({ folder }, "currentWindow");
    },

    async "guesthouse.openFolderInMachine"(clicked) {
      const folder = await localFolder(clicked, ask);
      if (folder !== undefined) await upAndOpen({ folder }, settings().openIn);
    },

    "guesthouse.rebuildMachine": () => rebuild(),
    "guesthouse.rebuildMachineWithoutCache": () => rebuild({ prebuild: false }),

    async "guesthouse.reopenLocally"() {
      const title = l10n.t("Reopen Locally");
      const chosen = await chooseWorkspace(undefined, title);
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
    },

    async "guesthouse.showWorkspaceLog"(folder) {
      const title = l10n.t("Show Workspace Log");
      const chosen = await chooseWorkspace(folder, title);
      if (chosen !== undefined) await logs.show(chosen);
    },

    async "guesthouse.setSecrets"() {
      const title = l10n.t("Set Secrets");
      const chosen = await chooseWorkspace(undefined, title);
      if (chosen === undefined) return;
      const { folder, config, branch } = chosen;
      const read = await call("workspaces.read", {
        folder,
        ...(config === undefined ? {} : { config }),
        ...(branch === undefined ? {} : { branch }),
      });
      await changeSecrets(read, `${title} · ${chosen.title}`, secrets);
    },
  };
}
