import { posix } from "node:path";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";
import { pump } from "../../../base/pump.ts";
import {
  type FeatureMetadata,
  invalidFeature,
  parseMetadata,
} from "./metadata.ts";

/** What a feature may take at most; the largest published ones are far below. */
export const largestArchiveBytes = 64 * 1024 * 1024;
const largestUnpackedBytes = 512 * 1024 * 1024;
const largestMetadataBytes = 1024 * 1024;
const mostEntries = 10_000;

export const isCompressed = (archive: Uint8Array): boolean =>
  archive[0] === 0x1f && archive[1] === 0x8b;

/**
 * Looks through a feature's archive, in memory: nothing of it is ever written to the host's disk unpacked, and nothing
 * but devcontainer-feature.json is kept. Refuses with `workspaces.featureInvalid` an archive with a name or link that
 * leaves it, with devices, without install.sh, or out of all proportion.
 */
export async function inspectArchive(
  archive: Uint8Array,
  feature: string,
  mostBytes = largestUnpackedBytes,
): Promise<FeatureMetadata> {
  const found = new Map<string, string | undefined>();
  const links = new Set<string>();
  const reader = extract();
  const fed = pump(unpacked(archive, feature, mostBytes), reader);
  fed.catch((error: unknown) =>
    reader.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  try {
    for await (const entry of reader) {
      const { name, type, linkname, size } = entry.header;
      const clean = posix.normalize(name).replace(/\/+$/, "");
      const why = reasonAgainst(name, type, linkname);
      if (why !== undefined)
        throw invalidFeature(feature, `its archive holds “${name}”, ${why}`);
      if (found.size >= mostEntries)
        throw invalidFeature(feature, "its archive holds too many files");
      if (type === "symlink") links.add(clean);
      let text: string | undefined;
      if (clean === "devcontainer-feature.json" && type === "file") {
        if (size > largestMetadataBytes)
          throw invalidFeature(feature, "its metadata is too large");
        const chunks: Uint8Array[] = [];
        for await (const chunk of entry as AsyncIterable<Uint8Array>)
          chunks.push(chunk);
        text = Buffer.concat(chunks).toString("utf8");
      } else entry.resume();
      found.set(clean, text);
    }
    await fed;
  } catch (error) {
    reader.destroy();
    if (error instanceof Error && "failure" in error) throw error;
    throw invalidFeature(
      feature,
      `its archive is damaged (${error instanceof Error ? error.message : String(error)})`,
    );
  }
  for (const name of found.keys())
    if (parentsOf(name).some((parent) => links.has(parent)))
      throw invalidFeature(
        feature,
        `its archive puts “${name}” behind a symbolic link`,
      );
  const text = found.get("devcontainer-feature.json");
  if (text === undefined || !found.has("install.sh"))
    throw invalidFeature(
      feature,
      `its archive lacks ${text === undefined ? "devcontainer-feature.json" : "install.sh"}`,
    );
  return parseMetadata(text, feature);
}

/** Why an entry can't be taken; undefined when it can. */
function reasonAgainst(
  name: string,
  type: string,
  linkname: string,
): string | undefined {
  if (leaves(name)) return "which lies outside of it";
  switch (type) {
    case "file":
    case "contiguous-file":
    case "directory":
      return undefined;
    case "symlink":
      return leaves(linkname, posix.dirname(name))
        ? `a symbolic link that leads out of it, to “${linkname}”`
        : undefined;
    case "link":
      return leaves(linkname)
        ? `a link that leads out of it, to “${linkname}”`
        : undefined;
    default:
      return `which is neither a file nor a folder (${type})`;
  }
}

/** Does a path leave the archive's own folder? */
function leaves(path: string, from = "."): boolean {
  if (posix.isAbsolute(path) || path.includes("\0")) return true;
  const whole = posix.normalize(posix.join(from, path));
  return whole === ".." || whole.startsWith("../");
}

function parentsOf(name: string): string[] {
  const parts = name.split("/");
  return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join("/"));
}

async function* unpacked(
  archive: Uint8Array,
  feature: string,
  mostBytes: number,
): AsyncGenerator<Uint8Array> {
  const source = Readable.from([archive]);
  const stream = isCompressed(archive) ? source.pipe(createGunzip()) : source;
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > mostBytes)
      throw invalidFeature(feature, "its archive is far too large unpacked");
    yield chunk;
  }
}
