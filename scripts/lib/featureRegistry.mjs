// A registry for the tests of features: Debian's, unpacked and not installed, as its package would start a server.
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { cached, cacheRoot, exists } from "./cache.mjs";
import { capture, onPath } from "./run.mjs";

const name = "docker-registry";
const program = "usr/bin/docker-registry";

/** @returns {Promise<string | undefined>} its path; undefined where it is not to be had, and those tests are skipped */
export async function featureRegistry() {
  const present = onPath(name);
  if (present !== undefined) return present;
  const unpacked = join(cacheRoot(), name, program);
  if (await exists(unpacked)) return unpacked;
  if (onPath("apt-get") === undefined || onPath("dpkg-deb") === undefined)
    return undefined;
  return cached(name, [program], unpack).then(
    (folder) => join(folder, program),
    () => undefined,
  );
}

/** @param {string} folder */
async function unpack(folder) {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const download = () =>
    capture("apt-get", ["download", "-qq", name], { cwd: folder });
  // A fresh machine has no lists of packages, and only root gets them.
  if ((await download()).code !== 0 && process.getuid?.() === 0) {
    await capture("apt-get", ["update", "-qq"]);
    await download();
  }
  for (const archive of await readdir(folder)) {
    await capture("dpkg-deb", ["-x", join(folder, archive), folder]);
    await rm(join(folder, archive));
  }
}
