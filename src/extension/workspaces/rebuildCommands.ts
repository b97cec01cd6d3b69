import { basename } from "node:path";
import { env, l10n, window } from "vscode";
import { bringBackWork } from "../machines/bringBack.ts";
import { deleteMachine } from "../machines/deleteMachine.ts";
import type { CommandsOf } from "../window/commandIds.ts";
import { chooseConfig } from "./chooseConfig.ts";
import {
  askFolder,
  currentWorkspace,
  findWorkspace,
  type Place,
  placeOf,
  type Wish,
} from "./folders.ts";
import { fetchClone, type OpenDeps, workspaceOpener } from "./open.ts";

export interface RebuildDeps extends OpenDeps {
  /** Settles once the records are here. */
  readonly loaded: () => Promise<void>;
}

/** A folder's VM anew, with a prebuild where one fits or without. */
export const rebuildCommands = (
  deps: RebuildDeps,
): CommandsOf<
  | "guesthouse.rebuildContainer"
  | "guesthouse.rebuildMachine"
  | "guesthouse.rebuildMachineWithoutCache"
> => ({
  "guesthouse.rebuildContainer": () => rebuildContainer(deps),
  "guesthouse.rebuildMachine": () => rebuild(deps, {}),
  "guesthouse.rebuildMachineWithoutCache": () =>
    rebuild(deps, { prebuild: false }),
});

/** A window that is open in the container finds the new one by the same address, and connects again. */
async function rebuildContainer(deps: RebuildDeps): Promise<void> {
  const place = await placeToRebuild(deps);
  if (place === undefined) return;
  await workspaceOpener(deps)(
    { ...place, container: "fresh" },
    "currentWindow",
  );
}

async function rebuild(
  deps: RebuildDeps,
  wish: Pick<Wish, "prebuild">,
): Promise<void> {
  const place = await placeToRebuild(deps);
  if (place === undefined) return;
  const known = findWorkspace(deps.workspaces, place);
  const id = known?.machine?.id;
  // Where there is none, nothing is lost.
  if (id !== undefined && !(await takeAway(deps, id, place.folder))) return;
  const url = known?.url;
  const isCloned = url !== undefined;
  if (isCloned) await fetchClone(deps, url, place.branch);
  await workspaceOpener(deps)({ ...place, ...wish, isCloned }, "currentWindow");
}

/** Of a window in a VM what that was made of, with its configuration; else a folder, and of several configurations one. */
async function placeToRebuild({
  call,
  workspaces,
  loaded,
}: RebuildDeps): Promise<Place | undefined> {
  await loaded();
  const here =
    env.remoteName === "ssh-remote" ? currentWorkspace(workspaces) : undefined;
  if (here !== undefined) return placeOf(here);
  const folder = await askFolder(undefined);
  return folder === undefined ? undefined : chooseConfig(call, { folder });
}

/** Asks, and deletes the old VM. False when the user leaves. */
async function takeAway(
  { call }: RebuildDeps,
  id: string,
  folder: string,
): Promise<boolean> {
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
  if (answer !== yes) return false;
  const { machine } = await call("machines.show", { machine: id });
  return deleteMachine(call, machine, (held) => bringBackWork(call, held));
}
