/* Where a folder's devcontainer.json lies, for the helper and for an editor that only wants to know whether there is one. */
import { readdir, stat } from "node:fs/promises";
import { join, posix } from "node:path";
import { hasErrorCode, isMissing } from "./files.ts";

/** What tools take without a word, however many there are beside it. */
export const usualConfigs = [
  ".devcontainer/devcontainer.json",
  ".devcontainer.json",
];

/**
 * Every devcontainer.json of a folder, relative to it with forward slashes, in the order in which tools look for them:
 * `.devcontainer/devcontainer.json`, `.devcontainer.json`, `.devcontainer/<name>/devcontainer.json`.
 */
export async function findConfigs(folder: string): Promise<string[]> {
  const candidates = [
    ...usualConfigs,
    ...(await foldersIn(join(folder, ".devcontainer"))).map((name) =>
      posix.join(".devcontainer", name, "devcontainer.json"),
    ),
  ];
  const found: string[] = [];
  for (const candidate of candidates)
    if (await isFile(join(folder, candidate))) found.push(candidate);
  return found;
}

async function foldersIn(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .sort();
  } catch (error) {
    if (isMissing(error) || hasErrorCode(error, "ENOTDIR")) return [];
    throw error;
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    if (isMissing(error) || hasErrorCode(error, "ENOTDIR")) return false;
    throw error;
  }
}
