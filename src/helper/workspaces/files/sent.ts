import type { Stats } from "node:fs";
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { hasErrorCode } from "../../../base/files.ts";

/** What a file of the host was when it was copied: a change of it is a change of one of these. */
export interface SentFile {
  readonly name: string;
  /** Kind, mode, size and modification time as one word. */
  readonly stamp: string;
}

export interface HostFiles {
  readonly files: readonly SentFile[];
  readonly bytes: number;
}

/** Looks at the files of a list; what vanished meanwhile is left out, as are sockets, pipes and devices. */
export async function stampFiles(
  folder: string,
  names: readonly string[],
): Promise<HostFiles> {
  let bytes = 0;
  const files: SentFile[] = [];
  const batch = 256;
  for (let i = 0; i < names.length; i += batch) {
    const stamps = await Promise.all(
      names.slice(i, i + batch).map(async (name) => ({
        name,
        found: await statOf(join(folder, name)),
      })),
    );
    for (const { name, found } of stamps) {
      if (found === undefined) continue;
      const mode = (found.mode & 0o777).toString(8);
      // A folder's time and size change with what is in it, which has stamps of its own.
      if (found.isDirectory()) files.push({ name, stamp: `d${mode}` });
      else if (found.isFile() || found.isSymbolicLink()) {
        const kind = found.isFile() ? `f${mode}` : "l";
        const stamp = `${kind}:${String(found.size)}:${String(found.mtimeMs)}`;
        files.push({ name, stamp });
        if (found.isFile()) bytes += found.size;
      }
    }
  }
  return { files, bytes };
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (hasErrorCode(error, "ENOENT") || hasErrorCode(error, "ENOTDIR"))
      return undefined;
    throw error;
  }
}

export interface Difference {
  /** New or changed since. */
  readonly send: readonly string[];
  /** Not on the host any more; what is in a folder before the folder itself. */
  readonly gone: readonly string[];
}

/** What of `now` was not sent as it is. Pure. */
export function differenceOf(
  sent: readonly SentFile[],
  now: readonly SentFile[],
): Difference {
  const before = new Map(sent.map(({ name, stamp }) => [name, stamp]));
  const here = new Set(now.flatMap(({ name }) => [name, ...foldersOf(name)]));
  const gone = new Set<string>();
  for (const { name } of sent)
    for (const each of [name, ...foldersOf(name)])
      if (!here.has(each)) gone.add(each);
  return {
    send: now
      .filter(({ name, stamp }) => before.get(name) !== stamp)
      .map(({ name }) => name),
    gone: [...gone].sort().reverse(),
  };
}

/** git lists files only: the folders that they are in come and go with them. */
function foldersOf(name: string): string[] {
  const folders: string[] = [];
  for (let end = name.lastIndexOf("/"); end > 0;) {
    folders.push(name.slice(0, end));
    end = name.lastIndexOf("/", end - 1);
  }
  return folders;
}

/** The list as it is kept in the guest. Pure. */
export const packSent = (files: readonly SentFile[]): Buffer =>
  gzipSync(files.map(({ name, stamp }) => `${stamp}\0${name}\0`).join(""), {
    level: 1,
  });

/** A name as `fileList.ts` has them. */
const isBelow = (name: string): boolean =>
  name.split("/").every((part) => !["", ".", ".."].includes(part));

const maxSentBytes = 256 * 1024 * 1024;

/** Reads what `packSent` wrote, as a guest gives it back: undefined for anything else. Pure. */
export function unpackSent(content: Uint8Array): SentFile[] | undefined {
  let items: string[];
  try {
    items = gunzipSync(content, { maxOutputLength: maxSentBytes })
      .toString("utf8")
      .split("\0");
  } catch {
    return undefined;
  }
  // Each has a NUL after it.
  if (items.pop() !== "" || items.length % 2 !== 0) return undefined;
  const files: SentFile[] = [];
  for (let i = 0; i < items.length; i += 2) {
    const [stamp = "", name = ""] = items.slice(i, i + 2);
    if (!/^[dfl][0-7]*(?::|$)/.test(stamp) || !isBelow(name)) return undefined;
    files.push({ stamp, name });
  }
  return files;
}
