import { readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { makePrivateFolder } from "../../../base/files.ts";
import type { Log } from "../../../base/log.ts";
import { failed } from "../../../protocol/failure.ts";
import type { ImageSource } from "../../../protocol/images.ts";
import type { Layout } from "../../store/layout.ts";
import type { BuildCache } from "../golden/buildCache.ts";
import type { LayerName } from "../build/layers.ts";
import type { CatalogEntry, RecipeName } from "./catalog.ts";
import { findChecksum } from "../../net/checksums.ts";
import { discard, download } from "../../net/download.ts";
import { type ImageIntent, inWorkFolder, takeIn } from "../golden/finish.ts";
import { type Http, downloadFailure, getText } from "../../net/http.ts";
import { type DiskImport, importDisk } from "../disks/import.ts";
import type { OnProgress, Prepare, Recipe } from "../golden/made.ts";
import type { ImageStore, StoredImage } from "../golden/store.ts";

export interface Maker {
  readonly layout: Layout;
  readonly store: ImageStore;
  readonly http: Http;
  readonly cache: BuildCache;
  readonly recipes: Readonly<Record<RecipeName, Recipe>>;
  readonly prepare: Prepare;
  readonly log: Log;
  /** How long the publisher may take for its checksum list; default 10 s. */
  readonly listTimeoutMs?: number;
}

export interface CatalogWish {
  readonly entry: CatalogEntry;
  readonly method: "auto" | "download" | "build";
  /** Build it although the cache holds a build of the same inputs. */
  readonly anew: boolean;
}

/** Makes a catalog image by the method that is wished for and takes it into the store. */
export async function makeCatalogImage(
  maker: Maker,
  { entry, method, anew }: CatalogWish,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<StoredImage> {
  const { recipe } = entry;
  if (recipe === undefined) {
    if (method === "build")
      throw failed(
        "images.buildFailed",
        `${entry.name} can't be built here; there is no recipe for it.`,
        { remedy: "Download it instead.", actions: ["retry"] },
      );
    const hex = await published(maker, entry, onProgress, signal);
    return downloadImage(maker, { entry, hex }, onProgress, signal);
  }
  const build: RecipeBuild = { entry, recipe: maker.recipes[recipe] };
  if (method !== "download" && !anew) {
    const cached = await cachedImage(maker, build, onProgress, signal);
    if (cached !== undefined) return cached;
  }
  if (method === "build") return buildImage(maker, build, onProgress, signal);
  let hex: string;
  try {
    hex = await published(maker, entry, onProgress, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (method === "download") throw error;
    maker.log.info("image is built here as its publisher can't be reached", {
      image: entry.name,
      error,
    });
    return buildImage(maker, build, onProgress, signal);
  }
  return downloadImage(maker, { entry, hex }, onProgress, signal);
}

/** The digest that the publisher lists; also the proof that its host can be reached. */
async function published(
  { http, listTimeoutMs }: Maker,
  { download: { url, checksumUrl, algorithm } }: CatalogEntry,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<string> {
  onProgress({ stage: "download", detail: new URL(checksumUrl).host });
  const list = await getText(
    http,
    checksumUrl,
    listTimeoutMs ?? 10_000,
    signal,
  );
  const hex = findChecksum(list, fileNameOf(url), algorithm);
  if (hex !== undefined) return hex;
  throw downloadFailure(
    url,
    new Error(`${checksumUrl} lists no ${algorithm} for it`),
  );
}

const fileNameOf = (url: string): string => basename(new URL(url).pathname);

async function downloadImage(
  maker: Maker,
  { entry, hex }: { readonly entry: CatalogEntry; readonly hex: string },
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<StoredImage> {
  const { layout, http } = maker;
  const { url, algorithm, firmware } = entry.download;
  await makePrivateFolder(layout.downloads);
  const path = partialPath(layout, entry.name, hex);
  await discardPartials(layout, entry.name, path);
  await download(
    http,
    { url, path, expected: { algorithm, hex } },
    onProgress,
    signal,
  );
  const source: ImageSource = {
    kind: "catalog",
    entry: entry.name,
    url,
    sha: `${algorithm}:${hex}`,
  };
  const stored = await prepareDisk(
    maker,
    { ...entry, firmware, source: () => source, disk: { source: path } },
    onProgress,
    signal,
  );
  await discard(path);
  return stored;
}

const partialPath = (layout: Layout, name: string, hex: string): string =>
  join(layout.downloads, `${name}@${hex.slice(0, 16)}.part`);

/** Removes what was downloaded of an image so far, except for `keep`; answers with the bytes freed. */
export async function discardPartials(
  layout: Layout,
  name: string,
  keep?: string,
): Promise<boolean> {
  let found = false;
  for (const file of await readdir(layout.downloads).catch(() => [])) {
    const path = join(layout.downloads, file);
    if (
      !file.startsWith(`${name}@`) ||
      path === keep ||
      path === `${keep ?? ""}.json`
    )
      continue;
    await rm(path, { force: true });
    found = true;
  }
  return found;
}

/** A disk that is to become an image. */
export interface DiskIntent extends Omit<ImageIntent, "source"> {
  /** Default: what the disk looks like. */
  readonly firmware?: "bios" | "uefi";
  /** Default: none. */
  readonly layers?: readonly LayerName[];
  readonly source: (format: string) => ImageSource;
}

/** From a disk image file to an image in the store: convert, prepare, validate, take in. */
export async function prepareDisk(
  maker: Maker,
  {
    disk,
    ...intent
  }: DiskIntent & { readonly disk: Omit<DiskImport, "target" | "name"> },
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<StoredImage> {
  return inWorkFolder(maker.layout, intent.name, async (folder) => {
    const target = join(folder, "imported.qcow2");
    const { format, firmware } = await importDisk(
      { ...disk, name: intent.name, target },
      onProgress,
      signal,
    );
    const made = await maker.prepare(
      {
        name: intent.name,
        diskPath: target,
        architecture: intent.architecture,
        firmware: intent.firmware ?? firmware,
        expectedBootSeconds: intent.expectedBootSeconds,
        defaultUser: intent.defaultUser,
        workFolder: folder,
        layers: intent.layers ?? [],
      },
      onProgress,
      signal,
    );
    return takeIn(
      maker.store,
      { intent: { ...intent, source: intent.source(format) }, made, folder },
      onProgress,
      signal,
    );
  });
}

interface RecipeBuild {
  readonly entry: CatalogEntry;
  readonly recipe: Recipe;
}

async function buildImage(
  maker: Maker,
  { entry, recipe }: RecipeBuild,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<StoredImage> {
  onProgress({ stage: "build" });
  return inWorkFolder(maker.layout, entry.name, async (folder) => {
    const key = await recipe.key(signal);
    const made = await recipe.build(folder, onProgress, signal);
    return takeIn(
      maker.store,
      {
        intent: { ...entry, source: builtSource(entry, key) },
        ...{ made, folder },
        beforeMove: (finished) => maker.cache.keep(key, finished),
      },
      onProgress,
      signal,
    );
  });
}

async function cachedImage(
  maker: Maker,
  { entry, recipe }: RecipeBuild,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<StoredImage | undefined> {
  return inWorkFolder(maker.layout, entry.name, async (folder) => {
    const key = await recipe.key(signal);
    const made = await maker.cache.fetch(key, folder, signal);
    if (made === undefined) return undefined;
    const source = builtSource(entry, key);
    return takeIn(
      maker.store,
      { intent: { ...entry, source }, made, folder },
      onProgress,
      signal,
    );
  });
}

const builtSource = (entry: CatalogEntry, key: string): ImageSource => ({
  kind: "built",
  entry: entry.name,
  inputsKey: key,
});
