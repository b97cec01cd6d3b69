import type { Architecture, Image } from "../../protocol/images.ts";
import type { Layout } from "../store/layout.ts";
import type { CatalogEntry } from "./catalog/catalog.ts";
import type { Ledger } from "./catalog/ledger.ts";
import type { Maker } from "./catalog/make.ts";
import { type GoldenImage, goldenImage } from "./golden/goldenImage.ts";
import type { StoredImage } from "./golden/store.ts";
import type { JobWish, Jobs, Work } from "./jobs/jobs.ts";
import type { Installs } from "./windows/install/installs.ts";

/** What the room's verbs are made of; each takes what it needs of it. */
export interface ImagesRoom {
  readonly layout: Layout;
  readonly architecture: Architecture;
  /** The catalog by name. */
  readonly entries: ReadonlyMap<string, CatalogEntry>;
  readonly maker: Maker;
  readonly jobs: Jobs;
  readonly ledger: Ledger;
  readonly installs: Installs;
}

/** Runs or joins a job, and tells the record after it is over, when it says ready and no longer working. */
export async function runAndTell<T>(
  { jobs, ledger }: Pick<ImagesRoom, "jobs" | "ledger">,
  job: JobWish,
  work: Work<T>,
  signal?: AbortSignal,
): Promise<T> {
  const result = await jobs.run(job, work, signal);
  ledger.tell(job.name);
  return result;
}

/** `images.unknown` when neither the catalog nor the store knows it. */
export function showImage(ledger: Ledger, name: string): Image {
  if (!ledger.known(name)) throw ledger.missing(name);
  return ledger.recordOf(name);
}

/** A ready image by name or digest; `images.unknown` when it isn't here. */
export function resolveImage(
  { layout, ledger, maker: { store } }: ImagesRoom,
  nameOrDigest: string,
): GoldenImage {
  const stored =
    store.images().get(nameOrDigest) ?? ledger.storedAs(nameOrDigest);
  if (stored === undefined || ledger.isLeaving(stored.record.digest))
    throw ledger.missing(nameOrDigest);
  return goldenImage(stored, layout);
}

/** What is here under a name, of any state; `images.unknown` when nothing is. */
export function requireStored(ledger: Ledger, name: string): StoredImage {
  const stored = ledger.storedAs(name);
  if (stored === undefined) throw ledger.missing(name);
  return stored;
}
