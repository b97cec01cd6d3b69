import { env, l10n, Uri, window, workspace } from "vscode";
import { given } from "../../base/given.ts";
import type { Workspace } from "../../protocol/workspaces.ts";
import { refuse } from "../failures/raise.ts";
import type { Records } from "../helper/records.ts";
import { aliasOf } from "../ssh/address.ts";
import { vmAliasOf } from "../../protocol/vmAlias.ts";

/** The folder that was clicked, the one that is open, or one to pick; undefined when the user picks none. */
export async function localFolder(
  clicked: unknown,
  ask: { readonly title: string; readonly openLabel: string },
): Promise<string | undefined> {
  const uri = clicked instanceof Uri ? clicked : await pickFolder(ask);
  if (uri === undefined) return undefined;
  if (uri.scheme === "file") return uri.fsPath;
  return refuse(
    "machines.badRequest",
    l10n.t("Only a folder of this computer can be brought into a VM."),
  );
}

/** The same, for a folder that is to be opened in its VM. */
export const askFolder = (clicked: unknown): Promise<string | undefined> =>
  localFolder(clicked, {
    title: l10n.t("Folder to open in its VM"),
    openLabel: l10n.t("Open in VM"),
  });

async function pickFolder(ask: {
  readonly title: string;
  readonly openLabel: string;
}): Promise<Uri | undefined> {
  const open = (workspace.workspaceFolders ?? []).filter(
    ({ uri }) => uri.scheme === "file",
  );
  const [only] = open;
  if (open.length === 1 && only !== undefined) return only.uri;
  if (open.length > 1) return (await window.showWorkspaceFolderPick())?.uri;
  const [picked] =
    (await window.showOpenDialog({
      ...ask,
      canSelectFiles: false,
      canSelectFolders: true,
    })) ?? [];
  return picked;
}

/** What becomes a VM: a folder of this computer as it is, or one of its branches. */
export interface Place {
  readonly folder: string;
  readonly branch?: string | undefined;
  /** Its devcontainer.json, relative to it; undefined: not chosen yet, or there is none. */
  readonly config?: string | undefined;
}

export const placeOf = ({ folder, branch, config }: Workspace): Place => ({
  folder,
  ...given({ branch, config }),
});

/** The place that a command is given by another part of ours; undefined for what a menu gives. */
export function placeIn(argument: unknown): Place | undefined {
  if (typeof argument !== "object" || argument === null) return undefined;
  const { folder, branch, config } = argument as Record<string, unknown>;
  const isText = (value: unknown): value is string | undefined =>
    value === undefined || typeof value === "string";
  return typeof folder === "string" && isText(branch) && isText(config)
    ? { folder, ...given({ branch, config }) }
    : undefined;
}

/** What of it is brought up, and how. */
export interface Wish extends Place {
  /** Cloned a moment ago: nobody has looked at it. */
  readonly isCloned?: boolean;
  /** The dev container is made again; the VM is kept. */
  readonly container?: "fresh";
  /** False where no prebuild shall be cloned, even if one fits. */
  readonly prebuild?: boolean;
}

/** Names a place where only a text goes: on the buttons of a failure. */
export const placeKey = ({ folder, branch, config }: Place): string =>
  [folder, branch, config].map((part) => part ?? "").join("\n");

/** The workspace of a place; of a place without a configuration the first that is known. */
export const findWorkspace = (
  workspaces: Records<Workspace>,
  { folder, branch, config }: Place,
): Workspace | undefined =>
  workspaces
    .all()
    .find(
      (each) =>
        each.folder === folder &&
        each.branch === branch &&
        (config === undefined || each.config === config),
    );

/**
 * The workspace that this window is in, when it is one of ours: by the alias in its address when it is open in the VM or in
 * the container in it, by the folder when it is open here.
 */
export function currentWorkspace(
  workspaces: Records<Workspace>,
): Workspace | undefined {
  const [folder] = workspace.workspaceFolders ?? [];
  if (env.remoteName !== "ssh-remote")
    return findWorkspace(workspaces, { folder: folder?.uri.fsPath ?? "" });
  const alias = aliasOf(folder?.uri.authority ?? "");
  const all = workspaces.all();
  return (
    all.find((each) => each.alias === alias) ??
    all.find((each) => vmAliasOf(each.alias) === alias)
  );
}

/** Whether this window is in the VM around a dev container: what the file says of an editor is for the container. */
export const isAroundContainer = (here: Workspace): boolean =>
  aliasOf(workspace.workspaceFolders?.[0]?.uri.authority ?? "") ===
  vmAliasOf(here.alias);

export interface ChooseDeps {
  readonly workspaces: Records<Workspace>;
  /** Settles once the records are here. */
  readonly loaded: () => Promise<void>;
}

/** By the folder that failed, else the one that is open, else the one that the user picks. */
export async function chooseWorkspace(
  { workspaces, loaded }: ChooseDeps,
  folder: unknown,
  title: string,
): Promise<Workspace | undefined> {
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
}
