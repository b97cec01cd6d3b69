// What the registry holds: the made images of the cache folder, the features, and what a test adds while it runs.
// Answers by public name and tag, or by digest.
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { standInFor } from "./catalogue.mjs";
import { featureTar, features } from "./features.mjs";
import { blobPath, digestOf, mediaTypes } from "./oci.mjs";

/** Which image each tag is looked up by, when all that a repository has is asked for. */
const shownTags = ["latest", "1", "2", "3"];

/**
 * @typedef {{body: Uint8Array, mediaType: string}} Manifest
 * @typedef {{body: Uint8Array} | {path: string, size: number}} Blob
 */

export class Store {
  /** @type {Map<string, Map<string, Manifest>>} public name → tag → manifest */
  #added = new Map();
  /** @type {Map<string, Manifest>} */
  #manifests = new Map();
  /** @type {Map<string, Uint8Array>} */
  #blobs = new Map();
  #folder;
  /** @type {Record<string, string>} key of a stand-in → digest of its index */
  #images;

  /** @param {string} folder @param {Record<string, string>} images */
  constructor(folder, images) {
    this.#folder = folder;
    this.#images = images;
  }

  /** @param {string} folder as made by images.mjs */
  static async open(folder) {
    const images = JSON.parse(
      await readFile(join(folder, "images.json"), "utf8"),
    );
    const store = new Store(folder, images);
    for (const feature of features) await store.addFeature(feature);
    return store;
  }

  /** @param {import("./features.mjs").Feature} feature published under each of its tags */
  async addFeature({ repository, tags, metadata, install }) {
    const layer = await featureTar({ metadata, install });
    const config = Buffer.from("{}");
    const body = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.manifest,
        config: {
          mediaType: "application/vnd.devcontainers",
          ...this.#keep(config),
        },
        layers: [
          {
            mediaType: "application/vnd.devcontainers.layer.v1+tar",
            ...this.#keep(layer),
            annotations: {
              "org.opencontainers.image.title": `devcontainer-feature-${repository.split("/").at(-1)}.tgz`,
            },
          },
        ],
        annotations: { "dev.containers.metadata": JSON.stringify(metadata) },
      }),
    );
    this.#add(repository, tags, { body, mediaType: mediaTypes.manifest });
  }

  /** @param {Uint8Array} body */
  #keep(body) {
    const digest = digestOf(body);
    this.#blobs.set(digest, body);
    return { digest, size: body.length };
  }

  /** @param {string} name @param {string[]} tags @param {Manifest} manifest */
  #add(name, tags, manifest) {
    const known = this.#added.get(name) ?? new Map();
    for (const tag of tags) known.set(tag, manifest);
    this.#added.set(name, known);
    this.#manifests.set(digestOf(manifest.body), manifest);
  }

  /**
   * @param {string} name a repository with its public host
   * @param {string} reference a tag or a digest
   * @returns {Promise<Manifest | undefined>}
   */
  async manifest(name, reference) {
    const added = this.#added.get(name)?.get(reference);
    if (added !== undefined) return added;
    if (reference.startsWith("sha256:"))
      return this.#manifests.get(reference) ?? this.#stored(reference);
    const image = standInFor(name, reference);
    const digest = image && this.#images[keyOf(image)];
    return digest === undefined ? undefined : this.#stored(digest);
  }

  /** @param {string} digest @returns {Promise<Manifest | undefined>} */
  async #stored(digest) {
    if (!/^sha256:[0-9a-f]{64}$/.test(digest)) return undefined;
    const body = await readFile(blobPath(this.#folder, digest)).catch(
      () => undefined,
    );
    if (body === undefined || body.length > 1e6) return undefined;
    return { body, mediaType: JSON.parse(body.toString()).mediaType };
  }

  /** @param {string} digest @returns {Promise<Blob | undefined>} */
  async blob(digest) {
    if (!/^sha256:[0-9a-f]{64}$/.test(digest)) return undefined;
    const body = this.#blobs.get(digest);
    if (body !== undefined) return { body };
    const path = blobPath(this.#folder, digest);
    return stat(path).then(
      ({ size }) => ({ path, size }),
      () => undefined,
    );
  }

  /** @param {string} name @returns {string[]} */
  tags(name) {
    const added = [...(this.#added.get(name)?.keys() ?? [])];
    if (added.length > 0) return added;
    return shownTags.filter((tag) => standInFor(name, tag) !== undefined);
  }
}

/** @param {import("./catalogue.mjs").StandIn} image */
export const keyOf = ({ repository, tag }) =>
  `${repository}:${tag?.source ?? "*"}`;
