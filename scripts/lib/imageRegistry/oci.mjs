// Images as a registry stores them: blobs by digest, and manifests that name them. A layer is compressed once and
// shared by all images that have it, so a public name more costs a few kilobytes.
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";

export const mediaTypes = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar+gzip",
};

/**
 * @typedef {{mediaType: string, digest: string, size: number}} Descriptor
 * @typedef {Descriptor & {diffId: string}} Layer its tar, compressed, and the digest before compression
 */

/** @param {Uint8Array} content */
export const digestOf = (content) =>
  `sha256:${createHash("sha256").update(content).digest("hex")}`;

/** @param {string} folder @param {string} digest */
export const blobPath = (folder, digest) =>
  join(folder, "blobs", digest.replace(":", "-"));

/**
 * @param {string} folder
 * @param {Uint8Array} content
 * @param {string} mediaType
 * @returns {Promise<Descriptor>}
 */
export async function putBlob(folder, content, mediaType) {
  const digest = digestOf(content);
  await mkdir(join(folder, "blobs"), { recursive: true });
  await writeFile(blobPath(folder, digest), content);
  return { mediaType, digest, size: content.length };
}

/**
 * Compresses a layer's tar into the blobs.
 * @param {string} folder
 * @param {string} tar
 * @returns {Promise<Layer>}
 */
export async function putLayer(folder, tar) {
  await mkdir(join(folder, "blobs"), { recursive: true });
  const partial = join(folder, "blobs", "partial");
  const before = createHash("sha256");
  const after = createHash("sha256");
  await pipeline(
    createReadStream(tar),
    watched(before),
    createGzip({ level: 6 }),
    watched(after),
    createWriteStream(partial),
  );
  const digest = `sha256:${after.digest("hex")}`;
  await rename(partial, blobPath(folder, digest));
  const { size } = await stat(blobPath(folder, digest));
  return {
    mediaType: mediaTypes.layer,
    digest,
    size,
    diffId: `sha256:${before.digest("hex")}`,
  };
}

/** @param {import("node:crypto").Hash} hash */
const watched = (hash) =>
  new Transform({
    transform(chunk, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });

/** How images name this processor. */
export const architecture = process.arch === "x64" ? "amd64" : process.arch;

/**
 * Writes what describes an image of these layers, and an index with it for this processor, as public images have one.
 * @param {string} folder
 * @param {Layer[]} layers the lowest first
 * @param {object} config
 * @returns {Promise<Descriptor>} the index
 */
export async function putImage(folder, layers, config) {
  const created = "2024-09-01T00:00:00Z";
  const write = (/** @type {object} */ value, /** @type {string} */ type) =>
    putBlob(folder, Buffer.from(JSON.stringify(value)), type);
  const described = await write(
    {
      architecture,
      os: "linux",
      created,
      config,
      rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
      history: layers.map(() => ({ created, created_by: "stand-in" })),
    },
    mediaTypes.config,
  );
  const manifest = await write(
    {
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: described,
      layers: layers.map(({ mediaType, digest, size }) => ({
        mediaType,
        digest,
        size,
      })),
    },
    mediaTypes.manifest,
  );
  return write(
    {
      schemaVersion: 2,
      mediaType: mediaTypes.index,
      manifests: [{ ...manifest, platform: { architecture, os: "linux" } }],
    },
    mediaTypes.index,
  );
}
