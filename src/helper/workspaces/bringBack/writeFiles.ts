import { lstat, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { failed } from "../../../protocol/failure.ts";
import { unpackFrom } from "../files/unpack.ts";
import type { ChangedFile } from "./plan.ts";
import { isSafeName } from "./safeNames.ts";

/** Throws `workspaces.failed` when the guest names a file that must not be written here. */
export function demandSafe(files: readonly ChangedFile[]): void {
  const bad = files.find(({ name }) => !isSafeName(name));
  if (bad === undefined) return;
  throw failed(
    "workspaces.failed",
    `The guest names a file “${bad.name}”, which must not be written on this host.`,
    { remedy: "Nothing was written. Bring the changes back as a patch." },
  );
}

/**
 * Writes changed files from the guest's tar stream below `folder` and removes deleted ones. Only what `files` names is
 * written, nothing through symbolic links. Names must have been checked by `demandSafe`.
 */
export async function writeFiles(
  folder: string,
  files: readonly ChangedFile[],
  tar: Readable,
  signal?: AbortSignal,
): Promise<void> {
  const wanted = new Set<string>();
  for (const { name, how } of files) if (how !== "deleted") wanted.add(name);
  for (const { name, how } of files)
    if (how === "deleted") await removeBelow(folder, name);
  const unpacking = { folder, only: wanted };
  await unpackFrom(tar, unpacking, () => undefined, signal);
}

/** A folder on the way that is a link leads elsewhere: then there is nothing of ours to remove. */
async function removeBelow(folder: string, name: string): Promise<void> {
  const parents: string[] = [];
  for (let up = dirname(name); up !== "."; up = dirname(up)) parents.push(up);
  for (const parent of parents.reverse()) {
    const found = await lstat(join(folder, parent)).catch(() => undefined);
    if (found?.isDirectory() !== true) return;
  }
  const path = join(folder, name);
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined || found.isDirectory()) return;
  await rm(path);
  // As git does: a folder that is left empty goes too, and a file may take its place.
  for (const parent of parents.reverse())
    try {
      await rmdir(join(folder, parent));
    } catch {
      return;
    }
}
