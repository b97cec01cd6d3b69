import { createHash } from "node:crypto";
import { Response } from "undici";
import type { Http } from "../../src/helper/net/http.ts";
import { featureArchive } from "./featureArchive.ts";

/** Name of a repository, or address of an archive → version → its devcontainer-feature.json without id and version. */
export type WrittenFeatures = Readonly<
  Record<string, Readonly<Record<string, object>>>
>;

const digestOf = (content: Uint8Array): string =>
  `sha256:${createHash("sha256").update(content).digest("hex")}`;

/** The far end of the wire: every registry and server at once, which has what is written down, and the same bytes each time. */
export function writtenRegistry(features: WrittenFeatures): Http {
  return {
    get: async (url) => {
      const body = await answer(features, new URL(url));
      const response = new Response(body, {
        status: body === undefined ? 404 : 200,
      });
      // As of an answer that came by a wire.
      return Object.defineProperty(response, "url", { value: url });
    },
    close: () => Promise.resolve(),
  };
}

async function answer(
  features: WrittenFeatures,
  url: URL,
): Promise<Uint8Array | undefined> {
  const archive = features[url.href];
  if (archive !== undefined) return archiveOf(url.href, archive, "latest");
  const [, path = "", kind, wanted = ""] =
    /^\/v2\/(.+)\/(manifests|blobs)\/(.+)$/.exec(url.pathname) ?? [];
  const name = `${url.host}/${path}`;
  const versions = features[name];
  if (versions === undefined) return undefined;
  const all = await Promise.all(
    Object.keys(versions).map(async (version) => {
      const layer = await archiveOf(name, versions, version);
      return [version, layer, manifestOf(layer)] as const;
    }),
  );
  if (kind === "blobs")
    return all.find(([, layer]) => digestOf(layer) === wanted)?.[1];
  // The newest that the tag stands for; versions are written down in order.
  return all.findLast(
    ([version, , manifest]) =>
      wanted === "latest" ||
      `${version}.`.startsWith(`${wanted}.`) ||
      digestOf(manifest) === wanted,
  )?.[2];
}

function archiveOf(
  name: string,
  versions: Readonly<Record<string, object>>,
  wanted: string,
): Promise<Buffer> {
  const version = wanted === "latest" ? Object.keys(versions).at(-1) : wanted;
  const [, id] = /([^/]+?)(?:\.tgz)?$/.exec(name) ?? [];
  const metadata = { id, version, ...versions[version ?? ""] };
  const mtime = new Date(0);
  return featureArchive([
    {
      name: "devcontainer-feature.json",
      content: JSON.stringify(metadata),
      mtime,
    },
    { name: "install.sh", content: "#!/bin/sh\n", mtime },
  ]);
}

const manifestOf = (layer: Uint8Array): Buffer =>
  Buffer.from(
    JSON.stringify({
      layers: [
        {
          mediaType: "application/vnd.devcontainers.layer.v1+tar",
          digest: digestOf(layer),
          size: layer.length,
        },
      ],
    }),
  );
