// Things that are expensive to get and the same for every checkout: kept outside of it, keyed by version.
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { Failure } from "./progress.mjs";

/** The cache folder: GUESTHOUSE_CACHE, else the user's cache folder. */
export function cacheRoot() {
  const { GUESTHOUSE_CACHE, XDG_CACHE_HOME } = process.env;
  return (
    GUESTHOUSE_CACHE ||
    join(XDG_CACHE_HOME || join(homedir(), ".cache"), "guesthouse-dev")
  );
}

/** @param {string} path */
export async function exists(path) {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** @param {number} pid */
function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/**
 * @param {string} path
 * @param {string[]} proof
 */
async function lackingOf(path, proof) {
  const parts = ["", ...proof];
  const there = await Promise.all(
    parts.map((part) => exists(join(path, part))),
  );
  return parts.filter((_, index) => !there[index]);
}

/**
 * Makes a cached folder or file once. It is made under another name and renamed when complete, so an interrupted
 * install is never taken for a finished one; what dead installs left behind is removed.
 * @param {string} name below the cache folder; carries every version that matters
 * @param {string[]} proof paths inside it (none for a file) that must be there for it to count as complete
 * @param {(path: string) => Promise<void>} make fills the folder (or writes the file) at the given path
 * @returns {Promise<string>} its path
 */
export async function cached(name, proof, make) {
  const path = join(cacheRoot(), name);
  if ((await lackingOf(path, proof)).length === 0) return path;

  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const prefix = `${name}.partial-`;
  for (const entry of await readdir(dirname(path))) {
    if (
      entry.startsWith(prefix) &&
      !isRunning(Number.parseInt(entry.slice(prefix.length), 10))
    ) {
      await rm(join(dirname(path), entry), { recursive: true, force: true });
    }
  }
  const partial = join(dirname(path), `${prefix}${process.pid}`);
  await rm(partial, { recursive: true, force: true });
  try {
    await make(partial);
    const lacking = await lackingOf(partial, proof);
    if (lacking.length > 0) {
      throw new Failure(
        `${name} came out incomplete.`,
        `${lacking.join(", ")} is missing although every step succeeded`,
        "Run this again; if it stays so, the packages it is made of have changed.",
      );
    }
    // Another process may have finished the same thing first, and use it by now; then its result is as good as ours.
    if ((await lackingOf(path, proof)).length > 0) {
      await rm(path, { recursive: true, force: true });
      await rename(partial, path);
    }
  } catch (error) {
    if ((await lackingOf(path, proof)).length > 0) throw error;
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return path;
}
