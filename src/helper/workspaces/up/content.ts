import { createHash } from "node:crypto";
import { lstat, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { isMissing } from "../../../base/files.ts";
import { fileDigest } from "../../net/checksums.ts";
import { listForCopy } from "../files/fileList.ts";

/** The guest's mark for files that came with a prebuild: of which content they were. */
export const filesMark = (content: string): string => `prebuild-${content}`;

/** The content that a mark names; undefined for any other mark. */
export const contentOfMark = (mark: string | undefined): string | undefined =>
  /^prebuild-([0-9a-f]{64})$/.exec(mark ?? "")?.[1];

/** Read at once; larger ones as a stream. */
const smallBytes = 1024 * 1024;

/**
 * Digest of what is copied of a folder, as hex: names, kinds, executable bits and bytes. Times don't count, as a check-out
 * makes them anew, nor does what git keeps, which differs between two clones of one commit.
 */
export async function contentDigest(
  folder: string,
  signal?: AbortSignal,
): Promise<string> {
  const names = (await listForCopy(folder, signal))
    .filter((name) => !name.split("/").includes(".git"))
    .sort();
  const whole = createHash("sha256");
  const batch = 64;
  for (let i = 0; i < names.length; i += batch) {
    signal?.throwIfAborted();
    const lines = await Promise.all(
      names.slice(i, i + batch).map(async (name) => {
        const stamp = await stampOf(join(folder, name));
        return stamp === undefined ? "" : `${name}\0${stamp}\0`;
      }),
    );
    whole.update(lines.join(""));
  }
  return whole.digest("hex");
}

/** Undefined for folders, which come with what is in them, and for what vanished meanwhile. */
async function stampOf(path: string): Promise<string | undefined> {
  try {
    const found = await lstat(path);
    if (found.isSymbolicLink()) return `link ${await readlink(path)}`;
    if (!found.isFile()) return undefined;
    const kind = (found.mode & 0o100) === 0 ? "file" : "program";
    const hex =
      found.size > smallBytes
        ? await fileDigest(path, "sha256")
        : createHash("sha256")
            .update(await readFile(path))
            .digest("hex");
    return `${kind} ${hex}`;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
