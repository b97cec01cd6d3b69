// Makes the stand-in images once and keeps them in the cache folder, under a key of what they are made from: the
// catalogue, the scripts, the release and the processor. A minute or two of work and about 250 MB.
import { createHash } from "node:crypto";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cached } from "../cache.mjs";
import { step, Unavailable } from "../progress.mjs";
import { npm, onPath, run } from "../run.mjs";
import { layerNames, standIns } from "./catalogue.mjs";
import { architecture, putImage, putLayer } from "./oci.mjs";
import { keyOf } from "./store.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const release = "bookworm";
const npmPackage = "npm@10.9.4";
const programs = ["mmdebstrap", "unshare", "dpkg-deb", "apt-get", "tar"];

/**
 * @returns {Promise<string>} the folder with `blobs/` and `images.json`
 * @throws {Unavailable} where they can't be made: another system than Debian's kin, or a program is missing
 */
export async function images() {
  const name = `stand-in-images-${await key()}`;
  return cached(name, ["images.json", "blobs"], (folder) => {
    const missing = programs.filter((program) => onPath(program) === undefined);
    if (process.platform !== "linux" || missing.length > 0)
      throw new Unavailable(
        "The stand-in images can't be made here.",
        `${missing.join(", ") || "Linux"} is missing`,
        "Install mmdebstrap on a Debian or Ubuntu system and run this again.",
      );
    return step("Stand-in images for the tests", () => make(folder));
  });
}

/** @returns {Promise<string>} */
async function key() {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([release, npmPackage, architecture, layerNames]));
  for (const { repository, tag, layers, config } of standIns)
    hash.update(JSON.stringify([repository, tag?.source, layers, config]));
  hash.update(await readFile(join(here, "layers.sh")));
  const files = await readdir(join(here, "files"), {
    recursive: true,
    withFileTypes: true,
  });
  for (const file of files
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort())
    hash.update(`${file.slice(here.length)}\0`).update(await readFile(file));
  return hash.digest("hex").slice(0, 12);
}

/** @param {string} folder */
async function make(folder) {
  const work = join(folder, "work");
  await mkdir(work, { recursive: true, mode: 0o755 });
  try {
    await makeLayers(work);
    /** @type {Record<string, import("./oci.mjs").Layer>} */
    const layers = {};
    for (const name of layerNames)
      layers[name] = await putLayer(folder, join(work, `${name}.tar`));
    /** @type {Record<string, string>} */
    const made = {};
    for (const image of standIns) {
      const own = image.layers.map((name) => {
        const layer = layers[name];
        if (layer === undefined) throw new Error(`no layer ${name}`);
        return layer;
      });
      made[keyOf(image)] = (await putImage(folder, own, image.config)).digest;
    }
    await writeFile(join(folder, "images.json"), JSON.stringify(made, null, 2));
  } finally {
    // Trees made in a user namespace belong to other users: only its root removes them.
    await run("unshare", [...asRoot(), "rm", "-rf", work]);
    await rm(work, { recursive: true, force: true });
  }
}

/** Root of a namespace, where we aren't root. */
const asRoot = () =>
  process.getuid?.() === 0
    ? ["--mount"]
    : ["--mount", "--user", "--map-auto", "--map-root-user"];

/** @param {string} work */
async function makeLayers(work) {
  await run("mmdebstrap", [
    ...["--quiet", "--variant=minbase"],
    ...[release, join(work, "base.tar")],
  ]);
  const [command, ...args] = npm();
  await run(command, [...args, "pack", npmPackage, "--silent"], { cwd: work });
  await cp(
    join(work, `${npmPackage.replace("@", "-")}.tgz`),
    join(work, "npm.tgz"),
  );
  await run("unshare", [...asRoot(), join(here, "layers.sh"), work]);
}
