import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { GuesthouseError, refused } from "../../../protocol/failure.ts";
import type { CopyRoute } from "../../../protocol/copying.ts";
import type { SshSession } from "../../ssh/session.ts";
import { cannotBeTold, type GuestWorkspace } from "../git/guestGit.ts";
import { otherThanIndexed } from "../git/freshIndex.ts";
import { takeBase, unsavedWork } from "../bringBack/unsaved.ts";
import { makeGuestFolder, type OnProgress, send } from "./copy.ts";
import { listForCopy } from "../files/fileList.ts";
import {
  forgetSent,
  readSent,
  removeInGuest,
  writeSent,
} from "../files/guestManifest.ts";
import type { CopyProgress, PackEntry } from "../files/pack.ts";
import { demandReadable } from "./readable.ts";
import { type DiskLender, sendByDisk } from "./sendByDisk.ts";
import { differenceOf, stampFiles } from "../files/sent.ts";

export interface FolderCopy {
  /** Of the host. */
  readonly folder: string;
  /** May be relative to the guest user's home or begin with `~/`; made when missing. */
  readonly target: string;
  /** Copy although the guest holds work of its own in there. */
  readonly overwrite?: boolean;
  /** Without it everything goes through SSH. */
  readonly disk?: DiskLender;
}

export interface FolderCopied extends CopyProgress {
  readonly guestFolder: string;
  readonly way: CopyRoute;
  /** What the guest lacks. */
  readonly notes?: readonly string[];
}

/** Plugging a disk in and out takes about as long as sending this much. */
const diskFromBytes = 4 * 1024 * 1024;
const diskFromFiles = 500;

/**
 * Copies a folder of the host into the guest: `.git` and all that .gitignore doesn't name, with modes and symbolic links;
 * by a disk of its own where that is worth it, else as one tar stream. A second time only what changed here since goes,
 * deletions too, and what changed there stays. Throws `request.invalid` when there is no such folder,
 * `ssh.transferFailed` when the guest can't take it; refuses with `workspaces.conflict` to write over the guest's work.
 */
export async function copyFolderIn(
  session: SshSession,
  { folder, target, overwrite, disk }: FolderCopy,
  onProgress: OnProgress,
  signal?: AbortSignal,
): Promise<FolderCopied> {
  const names = await listForCopy(folder, signal);
  const now = await stampFiles(folder, names);
  const guestFolder = await makeGuestFolder(session, target, signal);
  const workspace = { session, folder: guestFolder };
  const sent = await readSent(workspace, signal);
  const { send: news, gone } = differenceOf(sent ?? [], now.files);
  if (news.length + gone.length === 0 && sent !== undefined)
    return { files: 0, bytes: 0, way: "none", guestFolder };
  await demandReadable(folder, news);
  if (sent !== undefined && overwrite !== true)
    await demandNoWork(workspace, signal);
  await forgetSent(workspace, signal);
  if (gone.length > 0) await removeInGuest(workspace, gone, signal);
  const others = otherThanIndexed(folder, signal).catch(() => undefined);
  const entries = news.map((name) => ({ local: join(folder, name), name }));
  const worthADisk =
    sent === undefined &&
    (now.bytes >= diskFromBytes || entries.length >= diskFromFiles);
  const copied = await sendEntries(
    workspace,
    { entries, disk: worthADisk ? disk : undefined },
    onProgress,
    signal,
  );
  await takeBase(workspace, await others, signal);
  await writeSent(workspace, now.files, signal);
  const notes = await lacking(folder, names);
  return { ...copied, guestFolder, ...(notes.length === 0 ? {} : { notes }) };
}

const isGit = (name: string): boolean =>
  name === ".git" || name.startsWith(".git/");

/** A worktree's `.git` is a file that names a place of this computer, so it stays here. */
async function lacking(
  folder: string,
  names: readonly string[],
): Promise<string[]> {
  const git = await lstat(join(folder, ".git")).catch(() => undefined);
  if (git === undefined || git.isDirectory() || names.some(isGit)) return [];
  return [
    git.isFile()
      ? "This folder is a git worktree, whose repository lies elsewhere: its files were copied, but git doesn't work there. Use the repository's own folder, or a branch of it (--branch)."
      : "The .git of this folder is a link: its files were copied, but git doesn't work there. Use the folder that the repository is in.",
  ];
}

async function sendEntries(
  to: GuestWorkspace,
  {
    entries,
    disk,
  }: {
    readonly entries: readonly PackEntry[];
    readonly disk: DiskLender | undefined;
  },
  onProgress: OnProgress,
  signal?: AbortSignal,
): Promise<CopyProgress & { readonly way: CopyRoute }> {
  const byDisk =
    disk === undefined
      ? undefined
      : await sendByDisk(to, { entries, disk }, onProgress, signal);
  if (byDisk !== undefined) return { ...byDisk, way: "disk" };
  const sent = await send(to, entries, onProgress, signal);
  return { ...sent, way: "stream" };
}

/** Refuses when the guest holds work that the copy might write over. Where that can't be told, there is no base for it. */
async function demandNoWork(
  workspace: GuestWorkspace,
  signal?: AbortSignal,
): Promise<void> {
  let count: number;
  let first: string | undefined;
  try {
    const work = await unsavedWork(workspace, signal);
    count = work.fileCount + work.commitCount;
    first = work.files[0] ?? work.commits[0];
  } catch (error) {
    if (cannotBeTold(error)) return;
    signal?.throwIfAborted();
    if (!(error instanceof GuesthouseError)) throw error;
    throw refused(
      "workspaces.conflict",
      `Whether ${workspace.folder} in the guest holds work that is nowhere else can't be told, so nothing is copied over it. ${error.failure.message}`,
      { remedy: "Look at the repository in the guest, then copy again." },
    );
  }
  if (count > 0)
    throw refused(
      "workspaces.conflict",
      `${workspace.folder} in the guest holds work that is nowhere else (${first ?? ""}${count > 1 ? `, and ${String(count - 1)} more` : ""}), so nothing is copied over it.`,
      {
        remedy: "Bring it back first (guesthouse bring-back).",
        actions: ["bringBack"],
      },
    );
}
