import { basename, join, posix } from "node:path";
import { remotePath } from "../../../base/remotePath.ts";
import { refused } from "../../../protocol/failure.ts";
import type { SshSession } from "../../ssh/session.ts";
import type { TreeSent } from "../../ssh/sftpTree.ts";
import {
  entriesOf,
  type OnProgress,
  paced,
  type PathCopy,
  requireOnHost,
} from "./copy.ts";
import type { FolderCopied, FolderCopy } from "./copyFolder.ts";
import { listForCopy } from "../files/fileList.ts";
import type { CopyProgress } from "../files/pack.ts";

/**
 * Copies a folder of the host into a Windows guest: `.git` and all that .gitignore doesn't name, by SFTP, byte for byte:
 * line ends are nobody's business here. Throws as `copyFolderIn` does; refuses with `workspaces.conflict` to write
 * into a folder that holds something, since nobody there can say what it is. Unverified on Windows.
 */
export async function copyFolderToWindows(
  session: SshSession,
  {
    folder,
    target,
    overwrite = false,
  }: Pick<FolderCopy, "folder" | "target" | "overwrite">,
  onProgress: OnProgress,
  signal?: AbortSignal,
): Promise<FolderCopied> {
  const names = await listForCopy(folder, signal);
  const entries = names.map((name) => ({ local: join(folder, name), name }));
  const sent = await session.sendTree(
    entries,
    { folder: atHome(target), overwrite },
    paced(onProgress),
    signal,
  );
  if (sent === undefined)
    throw refused(
      "workspaces.conflict",
      `${target} in the guest holds something already, and what of it is nowhere else can't be told on Windows yet, so nothing is copied over it.`,
      {
        remedy:
          "Copy it into another folder, or remove what is in this one first.",
      },
    );
  const { files, bytes } = sent;
  return {
    files,
    bytes,
    way: "stream",
    guestFolder: windowsPath(sent.folder),
    notes: linkNotes(sent),
  };
}

/** The same for `cp`: a file or a whole folder, named as with cp(1) but for a target that is a folder, which is said by a slash. */
export async function copyPathToWindows(
  session: SshSession,
  { source, target }: PathCopy,
  onProgress: OnProgress,
  signal?: AbortSignal,
): Promise<CopyProgress> {
  await requireOnHost(source);
  const place = atHome(target);
  const inside = place === "." || place.endsWith("/");
  const name = inside ? basename(source) : posix.basename(place);
  const entries = await entriesOf(source, name, signal);
  const sent = await session.sendTree(
    entries,
    { folder: inside ? place : posix.dirname(place), overwrite: true },
    paced(onProgress),
    signal,
  );
  return { files: sent?.files ?? 0, bytes: sent?.bytes ?? 0 };
}

/** A path as SFTP has it, whichever way it was written: `C:\x`, `~\x`, `x/y`. It begins in the user's home. */
function atHome(target: string): string {
  const path = remotePath(target).replaceAll("\\", "/");
  return path === "" || path === "~" ? "." : path.replace(/^~\//, "");
}

/** `/C:/Users/dev/x`, as Windows' sshd spells it, for people and editors: `C:\Users\dev\x`. Pure. */
export function windowsPath(path: string): string {
  const [, drive, rest] = /^\/([a-z]):(.*)$/i.exec(path) ?? [];
  if (drive === undefined || rest === undefined) return path;
  return `${drive.toUpperCase()}:${rest === "" ? "\\" : rest.replaceAll("/", "\\")}`;
}

const linkNotes = ({ linksLeftOut: [first, ...more] }: TreeSent): string[] =>
  first === undefined
    ? []
    : [
        `Windows made no symbolic link of ${first}${more.length === 0 ? "" : ` and ${String(more.length)} more`}: its user may not, unless Developer Mode is on.`,
      ];
