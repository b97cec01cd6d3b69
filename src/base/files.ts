import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import {
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
} from "node:fs/promises";
import { dirname, join } from "node:path";

/** Creates a folder and its parents, readable by the owner only. */
export async function makePrivateFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
}

/**
 * Replaces a file in one step: write beside it, fsync, rename, fsync the folder. A reader sees the old or the new
 * content, a crash or a full disk leaves the old one.
 */
export async function replaceFile(
  path: string,
  content: string | Uint8Array,
  mode = 0o600,
): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const file = await open(temporary, "wx", mode);
    try {
      await file.chmod(mode);
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(path));
}

/**
 * Opens for reading what somebody named, and never waits: a pipe would, until somebody writes to it. Whether it's a file is to be
 * asked of what was opened (F14).
 */
export const openAtOnce = (path: string): Promise<FileHandle> =>
  open(
    path,
    // Windows has no such flag, and Node's types don't say so.
    constants.O_RDONLY | ((constants.O_NONBLOCK as number | undefined) ?? 0),
  );

/** Removes what `replaceFile` left in a folder when its process was killed. Only where nobody else writes now. */
export async function sweepTemporary(folder: string): Promise<void> {
  for (const name of await readdir(folder))
    if (/\.[0-9a-f]{12}\.tmp$/.test(name))
      await rm(join(folder, name), { force: true });
}

/** Makes what was made, renamed or removed in a folder last through a power cut. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Makes a file's content last through a power cut. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Bytes that the file really takes on the host; 0 when there is none. */
export async function allocatedBytes(path: string): Promise<number> {
  try {
    const { blocks, size } = await lstat(path);
    // Windows counts no blocks.
    return process.platform === "win32" ? size : blocks * 512;
  } catch (error) {
    if (isMissing(error)) return 0;
    throw error;
  }
}

/** Names of what lies in a folder, sorted; none where there is no folder. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** The file's text, or undefined when there is none. */
export async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

export const isMissing = (error: unknown): boolean =>
  hasErrorCode(error, "ENOENT");

export function hasErrorCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
