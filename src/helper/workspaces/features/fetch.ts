/*
 * Gets features for one folder, by the network, from the cache or from the folder itself. What comes is looked through in
 * memory and never unpacked here, and whatever has a pin is that or a failure. Called by `ofFolder.ts`.
 */
import { join } from "node:path";
import type { Http } from "../../net/http.ts";
import type { Layout } from "../../store/layout.ts";
import { inspectArchive, largestArchiveBytes } from "./archive.ts";
import type { FindCredentials } from "./credentials.ts";
import {
  byDigest,
  fetchBytes,
  fetchFailure,
  keep,
  digestOf,
} from "./download.ts";
import { packLocalFeature } from "./localFolder.ts";
import type { FeatureMetadata } from "./metadata.ts";
import { type FeatureReference, nameOf } from "./reference.ts";
import {
  featureLayer,
  type RegistryClient,
  registryClient,
} from "./ociRegistry.ts";

/** A feature that is here: looked through, its digest known. */
export interface FetchedFeature {
  readonly metadata: FeatureMetadata;
  /** Of a registry's manifest, of an archive. The same content has the same. */
  readonly digest: string;
  /** By name and digest; what a lockfile says of it. */
  readonly canonical: string;
  /** The tar, as it was made; compressed or not. */
  readonly archive: () => Promise<Uint8Array>;
}

/** Gets a feature; where `pin` is given, it is that one or a failure. */
export type FetchFeature = (
  reference: FeatureReference,
  pin: string | undefined,
) => Promise<FetchedFeature>;

export interface FetchDeps {
  readonly http: Http;
  readonly layout: Pick<Layout, "cache">;
  /** Without it registries are asked without a name only. */
  readonly credentials?: FindCredentials;
}

/** What the features of one folder are fetched with. */
interface Source {
  readonly http: Http;
  readonly cache: string;
  readonly client: RegistryClient;
  readonly folder: string;
  readonly configPath: string;
  readonly signal: AbortSignal | undefined;
}

type Of<Kind> = Extract<FeatureReference, { kind: Kind }>;

/**
 * Gets features for one folder: those of registries and archives by the network or, where the digest is known, from the
 * cache; those of the folder from there. Throws the codes of `workspaces.feature…` and `workspaces.outsideFolder`.
 */
export function fetchFeatures(
  { http, layout, credentials }: FetchDeps,
  folder: string,
  configPath: string,
  signal?: AbortSignal,
): FetchFeature {
  const cache = join(layout.cache, "features");
  const client = registryClient(http, credentials, signal);
  const source = { http, cache, client, folder, configPath, signal };
  return (reference, pin) => {
    switch (reference.kind) {
      case "local":
        return takeLocal(reference, source);
      case "tarball":
        return fetchTarball(reference, pin, source);
      case "registry":
        return fetchOfRegistry(reference, pin, source);
    }
  };
}

async function takeLocal(
  reference: Of<"local">,
  { folder, configPath }: Source,
): Promise<FetchedFeature> {
  const name = nameOf(reference);
  const { archive, digest } = await packLocalFeature(
    folder,
    configPath,
    reference.path,
  );
  const metadata = await inspectArchive(archive, name);
  return {
    metadata,
    digest,
    canonical: name,
    archive: () => Promise.resolve(archive),
  };
}

async function fetchTarball(
  reference: Of<"tarball">,
  pin: string | undefined,
  { http, cache, signal }: Source,
): Promise<FetchedFeature> {
  const name = nameOf(reference);
  const { url } = reference;
  const get = async (): Promise<Uint8Array> =>
    (await fetchBytes(http, url, { maxBytes: largestArchiveBytes }, signal))
      .body;
  const archive =
    pin === undefined ? await get() : await byDigest(cache, pin, get, name);
  const metadata = await inspectArchive(archive, name);
  const digest = pin ?? (await keep(cache, archive));
  return {
    metadata,
    digest,
    canonical: url,
    archive: () => byDigest(cache, digest, get, name),
  };
}

async function fetchOfRegistry(
  reference: Of<"registry">,
  pin: string | undefined,
  { cache, client }: Source,
): Promise<FetchedFeature> {
  const name = nameOf(reference);
  if (
    pin !== undefined &&
    reference.digest !== undefined &&
    pin !== reference.digest
  )
    throw fetchFailure(
      name,
      `the file names ${reference.digest}, and the lockfile ${pin}`,
    );
  const wanted = reference.digest ?? pin;
  const manifest =
    wanted === undefined
      ? await client.manifest(reference, reference.tag)
      : await byDigest(
          cache,
          wanted,
          () => client.manifest(reference, wanted),
          name,
        );
  const digest = wanted ?? digestOf(manifest);
  const layer = featureLayer(manifest, name);
  if (layer.size > largestArchiveBytes)
    throw fetchFailure(name, "it is too large for a feature");
  const archive = (): Promise<Uint8Array> =>
    byDigest(
      cache,
      layer.digest,
      () => client.blob(reference, layer.digest, largestArchiveBytes),
      name,
    );
  const metadata = await inspectArchive(await archive(), name);
  if (wanted === undefined) await keep(cache, manifest);
  return { metadata, digest, canonical: `${name}@${digest}`, archive };
}
