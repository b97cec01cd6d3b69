import { join } from "node:path";
import { commands, l10n, Uri, workspace as editorWorkspace } from "vscode";
import type { Workspace } from "../../protocol/workspaces.ts";
import { refuse } from "../failures/raise.ts";
import type { CommandsOf } from "../window/commandIds.ts";
import { chooseWorkspace, type ChooseDeps } from "./folders.ts";
import type { OpenDeps } from "./open.ts";

/*
 * What is around a dev container, for a window that is in it and for a container that didn't come up: the VM, and the file
 * on this computer that a rebuild reads.
 */

export function vmCommands(
  deps: OpenDeps & ChooseDeps,
): CommandsOf<"guesthouse.openVmOfFolder" | "guesthouse.openConfiguration"> {
  return {
    async "guesthouse.openVmOfFolder"(place) {
      const chosen = await chooseWorkspace(deps, place, l10n.t("Open the VM"));
      if (chosen !== undefined) await openVm(deps, chosen);
    },
    async "guesthouse.openConfiguration"(place) {
      const title = l10n.t("Open devcontainer.json");
      const chosen = await chooseWorkspace(deps, place, title);
      if (chosen === undefined) return;
      const file = fileOf(chosen);
      if (file === undefined)
        return refuse(
          "workspaces.configMissing",
          l10n.t("{0} has no devcontainer.json.", chosen.title),
        );
      await commands.executeCommand("vscode.open", file);
    },
  };
}

async function openVm(
  { call, settings, open }: OpenDeps,
  { machine: made, title }: Workspace,
): Promise<void> {
  if (made === undefined)
    return refuse("workspaces.unknown", l10n.t("{0} has no VM yet.", title));
  const { machine } = await call("machines.show", { machine: made.id });
  const path = machine.folder?.guest;
  await open(machine, {
    folder: path === undefined ? "none" : { path },
    openIn: settings().openIn,
    around: "container",
  });
}

/** The file that a rebuild reads; of a branch or a clone, which have none here, the one in this window's folder. */
export function fileOf({
  folder,
  config,
  branch,
  url,
}: Workspace): Uri | undefined {
  if (config === undefined) return undefined;
  if (branch === undefined && url === undefined)
    return Uri.file(join(folder, config));
  const [here] = editorWorkspace.workspaceFolders ?? [];
  return here === undefined ? undefined : Uri.joinPath(here.uri, config);
}
