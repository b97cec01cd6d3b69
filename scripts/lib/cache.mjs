// Things that are expensive to get and the same for every checkout: kept outside of it, keyed by version.
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

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
 * Makes a cached folder or file once. It is made under another name and renamed when complete, so an interrupted
 * install is never taken for a finished one; what dead installs left behind is removed.
 * @param {string} name below the cache folder; carries every version that matters
 * @param {string[]} proof paths inside it (none for a file) that must be there for it to count as complete
 * @param {(path: string) => Promise<void>} make fills the folder (or writes the file) at the given path
 * @returns {Promise<string>} its path
 */
export async function cached(name, proof, make) {
  const path = join(cacheRoot(), name);
  const isComplete = async () =>
    (
      await Promise.all(["", ...proof].map((part) => exists(join(path, part))))
    ).every(Boolean);
  if (await isComplete()) return path;

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
    if (!(await isComplete())) {
      await rm(path, { recursive: true, force: true });
      await rename(partial, path);
    }
  } catch (error) {
    // Another process may have finished the same thing first; then its result is as good as ours.
    if (!(await isComplete())) throw error;
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return path;
}
