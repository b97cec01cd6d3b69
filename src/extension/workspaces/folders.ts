import { env, l10n, Uri, window, workspace } from "vscode";
import type { Workspace } from "../../protocol/devcontainers.ts";
import { refuse } from "../failures/raise.ts";
import type { Records } from "../records.ts";
import { aliasOf } from "../ssh/address.ts";

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
}

/** What of it is brought up, and how. */
export interface Wish extends Place {
  /** Cloned a moment ago: nobody has looked at it. */
  readonly isCloned?: boolean;
  /** False where no prebuild shall be cloned, even if one fits. */
  readonly prebuild?: boolean;
}

/** Names a place where only a text goes: on the buttons of a failure. */
export const placeKey = ({ folder, branch }: Place): string =>
  branch === undefined ? folder : `${folder}\n${branch}`;

export function findWorkspace(
  workspaces: Records<Workspace>,
  place: Place,
): Workspace | undefined {
  const key = placeKey(place);
  return workspaces.all().find((each) => placeKey(each) === key);
}

/**
 * The workspace that this window is in, when it is one of ours: by the alias in its address when it is open in the VM,
 * by the folder when it is open here.
 */
export function currentWorkspace(
  workspaces: Records<Workspace>,
): Workspace | undefined {
  const [folder] = workspace.workspaceFolders ?? [];
  if (env.remoteName !== "ssh-remote")
    return findWorkspace(workspaces, { folder: folder?.uri.fsPath ?? "" });
  const alias =
    folder === undefined ? undefined : aliasOf(folder.uri.authority);
  return workspaces.all().find((each) => each.alias === alias);
}
