import { lstat, readlink } from "node:fs/promises";
import { posix } from "node:path";
import type { Attributes, Client, SFTPWrapper } from "ssh2";
import { hasErrorCode } from "../../base/files.ts";
import { openSftp, transferFailed } from "./transfer.ts";

/** A file, folder or link of the host and the name it gets below the target, with forward slashes. */
export interface TreeEntry {
  readonly local: string;
  readonly name: string;
}

export interface TreeProgress {
  readonly files: number;
  readonly bytes: number;
}

export interface TreeSent extends TreeProgress {
  /** Where it lies, as the server spells it: whole, with forward slashes. */
  readonly folder: string;
  /** Links that the far end would not make, by name. */
  readonly linksLeftOut: readonly string[];
}

export interface TreeTarget {
  /** May be relative to the user's home; made when missing. */
  readonly folder: string;
  /** False: nothing is sent into a folder that holds something already, and the answer is undefined. */
  readonly overwrite: boolean;
}

export interface TreeToSend {
  readonly entries: readonly TreeEntry[];
  readonly target: TreeTarget;
}

/** SFTP has its requests under way together; more files at once bring nothing more to one processor of a guest. */
const filesAtOnce = 8;

/**
 * Sends files by SFTP alone, for guests without a POSIX shell and tar: bytes as they are, with their modes and times;
 * folders before what is in them. Sockets, pipes and devices are left out, as is what vanished meanwhile, and links
 * that the far end refuses. Throws `ssh.transferFailed`, naming the file.
 */
export async function sendTree(
  client: Client,
  { entries, target }: TreeToSend,
  onProgress: (progress: TreeProgress) => void,
  signal?: AbortSignal,
): Promise<TreeSent | undefined> {
  return openSftp(
    client,
    `files to ${target.folder} in the guest`,
    signal,
    async (sftp) => {
      await makeFolders(sftp, target.folder);
      const folder = await promised<string>((done) =>
        sftp.realpath(target.folder, done),
      );
      if (!target.overwrite && (await holdsSomething(sftp, folder)))
        return undefined;
      const sent = { files: 0, bytes: 0 };
      const linksLeftOut: string[] = [];
      const waiting: TreeEntry[] = [];
      // Folders first, in their order; links and files find theirs then.
      for (const entry of entries) {
        signal?.throwIfAborted();
        const found = await look(entry.local);
        if (found?.isDirectory() === true)
          await ensureFolder(sftp, posix.join(folder, entry.name));
        else if (found !== undefined) waiting.push(entry);
      }
      const made = new Set<string>();
      const work = async (): Promise<void> => {
        for (;;) {
          signal?.throwIfAborted();
          const entry = waiting.shift();
          if (entry === undefined) return;
          const path = posix.join(folder, entry.name);
          const parent = posix.dirname(path);
          if (!made.has(parent)) await makeFolders(sftp, parent);
          made.add(parent);
          const bytes = await sendOne(sftp, entry.local, path);
          if (bytes === "linkRefused") linksLeftOut.push(entry.name);
          if (typeof bytes !== "number") continue;
          sent.files += 1;
          sent.bytes += bytes;
          onProgress({ ...sent });
        }
      };
      await Promise.all(Array.from({ length: filesAtOnce }, work));
      return { ...sent, folder, linksLeftOut: linksLeftOut.sort() };
    },
  );
}

/** Bytes sent; undefined for what is no file, or no more. */
async function sendOne(
  sftp: SFTPWrapper,
  local: string,
  path: string,
): Promise<number | "linkRefused" | undefined> {
  const found = await look(local);
  if (found === undefined) return undefined;
  if (found.isSymbolicLink()) {
    const to = await readlink(local);
    // One that is there already may point elsewhere.
    await promised((done) => sftp.unlink(path, done)).catch(() => undefined);
    try {
      await promised((done) => sftp.symlink(to, path, done));
      return 0;
    } catch {
      return "linkRefused";
    }
  }
  if (!found.isFile()) return undefined;
  try {
    await promised((done) => sftp.fastPut(local, path, {}, done));
    // After the bytes: one that may only be read could not be written.
    await promised((done) =>
      sftp.setstat(
        path,
        {
          mode: found.mode & 0o777,
          atime: Math.floor(found.atimeMs / 1000),
          mtime: Math.floor(found.mtimeMs / 1000),
        },
        done,
      ),
    );
  } catch (error) {
    if (hasErrorCode(error, "ENOENT") && (await look(local)) === undefined)
      return undefined;
    throw transferFailed(`${local} to ${path} in the guest`, error);
  }
  return found.size;
}

const look = (path: string) => lstat(path).catch(() => undefined);

/** Makes a folder and those above it. */
async function makeFolders(sftp: SFTPWrapper, path: string): Promise<void> {
  if (await isFolder(sftp, path)) return;
  const above = posix.dirname(path);
  if (above !== path && above !== ".") await makeFolders(sftp, above);
  await ensureFolder(sftp, path);
}

async function ensureFolder(sftp: SFTPWrapper, path: string): Promise<void> {
  try {
    await promised((done) => sftp.mkdir(path, done));
  } catch (error) {
    // SFTP has no word of its own for what is there already.
    if (await isFolder(sftp, path)) return;
    throw transferFailed(`the folder ${path} in the guest`, error);
  }
}

const isFolder = (sftp: SFTPWrapper, path: string): Promise<boolean> =>
  promised<Attributes>((done) => sftp.stat(path, done)).then(
    ({ mode }) => (mode & 0o170000) === 0o040000,
    () => false,
  );

const holdsSomething = async (
  sftp: SFTPWrapper,
  folder: string,
): Promise<boolean> =>
  (await promised<readonly unknown[]>((done) => sftp.readdir(folder, done)))
    .length > 0;

type Done<T> = (error?: Error | null, value?: T) => void;

const promised = <T = unknown>(start: (done: Done<T>) => void): Promise<T> =>
  new Promise((resolve, reject) =>
    start((error, value) => {
      if (error === undefined || error === null) resolve(value as T);
      else reject(error);
    }),
  );
