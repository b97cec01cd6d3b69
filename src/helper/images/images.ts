/*
 * The images room, wired: its catalog, store, jobs, ledger and installations, and one function per verb over them. It owns
 * the jobs and the HTTP connections until `close`; the store's files are golden/store.ts' own. The daemon makes one.
 */
import { readVariable } from "../../base/environmentVariables.ts";
import type { Disposer } from "../../base/disposables.ts";
import type { Log } from "../../base/log.ts";
import type { Accelerator } from "../../protocol/host.ts";
import type {
  Architecture,
  Image,
  ImageReport,
} from "../../protocol/images.ts";
import { createHttp } from "../net/http.ts";
import type { Layout } from "../store/layout.ts";
import {
  type Catalog,
  type RecipeName,
  catalogEntries,
  loadCatalog,
} from "./catalog/catalog.ts";
import { createLedger } from "./catalog/ledger.ts";
import type { Maker } from "./catalog/make.ts";
import { hostRecipes } from "./catalog/recipes.ts";
import { openBuildCache } from "./golden/buildCache.ts";
import { clearWorkFolders } from "./golden/finish.ts";
import type { GoldenImage } from "./golden/goldenImage.ts";
import type { DiskToKeep } from "./golden/keepDisk.ts";
import type { Prepare, Recipe } from "./golden/made.ts";
import { openStore } from "./golden/store.ts";
import { type ImportOptions, importImage } from "./importImage.ts";
import { createJobs } from "./jobs/jobs.ts";
import type { WorkingState } from "./jobs/progress.ts";
import { exportImage, keepAsImage, validateImage } from "./keptImages.ts";
import { type ObtainOptions, obtainImage } from "./obtainImage.ts";
import { endAbandonedPreparations } from "./prepare/preparationMachine.ts";
import { diskPreparation } from "./prepare/prepare.ts";
import { removeImage } from "./removeImage.ts";
import { resolveImage, showImage } from "./room.ts";
import { type InstallSettings, usualInstall } from "./windows/install/host.ts";
import { type Installs, createInstalls } from "./windows/install/installs.ts";

export interface ImagesOptions {
  readonly layout: Layout;
  /** The product's `resources/` folder. */
  readonly resources: string;
  /** Of the host: plain names of the catalog mean images of this architecture. */
  readonly architecture: Architecture;
  readonly log: Log;
  /** Names of the machines that stand on this digest. */
  readonly usedBy: (digest: string) => readonly string[];
  /** For the preparation machine. */
  readonly accelerator: (signal: AbortSignal) => Promise<Accelerator>;
  /** Called with every changed record, at most every 250 ms per image while work goes on. */
  readonly onChanged: (image: Image) => void;
  readonly onRemoved: (name: string, revision: number) => void;
  readonly env?: NodeJS.ProcessEnv;
  /** Default: the shipped one. */
  readonly catalog?: Catalog;
  /** In the place of this host's builders. */
  readonly recipes?: Readonly<Partial<Record<RecipeName, Recipe>>>;
  /** Default: boots the disk once in a preparation machine. */
  readonly prepare?: Prepare;
  /** How Windows is installed, where it differs from the usual. */
  readonly windows?: Partial<InstallSettings>;
}

/** The images room. Everything throws `GuesthouseError`s only. */
export interface Images {
  /** Catalog images of this host's architecture and everything that is here or under way, by name. */
  list(): Promise<Image[]>;
  /** `images.unknown` when neither the catalog nor the store knows it. */
  show(name: string): Promise<Image>;
  /** A ready image by name or digest; `images.unknown` when it isn't here. */
  resolve(nameOrDigest: string): Promise<GoldenImage>;
  /**
   * Brings an image here if it isn't: at once when ready, else by the one job of this name, which callers share. An
   * installation that failed begins anew.
   * Aborting `signal` leaves the job; the last one to leave cancels it.
   */
  obtain(
    name: string,
    options: ObtainOptions,
    onProgress: ((state: WorkingState) => void) | undefined,
    signal?: AbortSignal,
  ): Promise<GoldenImage>;
  /** Of a disk image, or of what `exportFile` wrote. */
  importFile(options: ImportOptions, signal?: AbortSignal): Promise<Image>;
  readonly installs: Installs;
  /** Writes a ready image as one file; answers with its bytes. */
  exportFile(name: string, path: string, signal?: AbortSignal): Promise<number>;
  /** Makes an image of a machine's disk at rest; one of the same name is replaced. */
  keep(
    disk: DiskToKeep,
    onProgress: (state: WorkingState) => void,
    signal: AbortSignal,
  ): Promise<Image>;
  /** Checks the disk's integrity and digest and judges the recorded facts again. */
  validate(
    name: string,
    signal?: AbortSignal,
  ): Promise<{ image: Image; report: ImageReport }>;
  /** Refuses with `images.inUse`, naming the machines, and `images.busy`; answers with the bytes freed. */
  remove(name: string): Promise<number>;
  /** Ends the work on this name for everybody and waits until nothing of it is left but a resumable download. */
  cancel(name: string): Promise<boolean>;
  /** Keeps a digest from being deleted until disposed; for the time between `resolve` and a machine's record. */
  hold(digest: string): Disposer;
  /** Machines came or went: tells clients the image's new `usedBy`, and drops superseded digests that nobody uses. */
  usersChanged(digest: string): Promise<void>;
  /** Cancels all work and waits for its end. */
  close(): Promise<void>;
}

/** Removes what an earlier helper left half done, then serves. */
export async function createImages(options: ImagesOptions): Promise<Images> {
  const { layout, log, architecture } = options;
  const env = options.env ?? process.env;
  const catalog = options.catalog ?? (await loadCatalog(options.resources));
  const entries = new Map(
    catalogEntries(catalog, architecture).map((entry) => [entry.name, entry]),
  );
  await endAbandonedPreparations(layout, log);
  await clearWorkFolders(layout, log);
  const store = await openStore(layout, log);
  const cacheFolder = readVariable("GUESTHOUSE_IMAGE_CACHE", env);
  const http = createHttp(env, { connectTimeoutMs: 5000 });
  const maker: Maker = {
    layout,
    store,
    http,
    log,
    cache: openBuildCache(cacheFolder, log),
    recipes: hostRecipes({ ...options, cacheFolder }),
    prepare: options.prepare ?? diskPreparation(options),
  };
  const jobs = createJobs(
    {
      onState: (name) => ledger.tell(name),
      onFailure: (name, { failure }) => {
        // A cancelled job, a failed import and a failed renewal leave things as they were.
        if (
          failure.kind !== "cancelled" &&
          (entries.has(name) || installs.has(name)) &&
          ledger.storedAs(name) === undefined
        )
          ledger.setFailure(name, failure);
        ledger.tell(name);
      },
    },
    log,
  );
  const ledger = createLedger({
    ...options,
    entries,
    store,
    workingOn: jobs.state,
    namesWorkedOn: jobs.names,
  });
  const installs: Installs = await createInstalls(
    { ...usualInstall, ...options.windows, ...options, store, http },
    jobs,
    ledger,
  );
  const room = { layout, architecture, entries, maker, jobs, ledger, installs };
  return {
    list: () => Promise.resolve(ledger.names().map(ledger.recordOf)),
    // Asynchronous, so that what they refuse is a rejection.
    show: async (name) => Promise.resolve(showImage(ledger, name)),
    resolve: async (nameOrDigest) =>
      Promise.resolve(resolveImage(room, nameOrDigest)),
    obtain: (name, wish, ...watching) =>
      obtainImage(room, { name, ...wish }, ...watching),
    importFile: (...wish) => importImage(room, ...wish),
    exportFile: (...wish) => exportImage(room, ...wish),
    keep: (...wish) => keepAsImage(room, ...wish),
    validate: (...wish) => validateImage(room, ...wish),
    remove: (name) => removeImage(room, name),
    cancel: jobs.cancel,
    hold: ledger.hold,
    installs,
    usersChanged: async (digest) => {
      const name = store.images().get(digest)?.record.name;
      if (name === undefined) return;
      await ledger.dropSuperseded(name);
      ledger.tell(name);
    },
    close: async () => {
      await jobs.close();
      await http.close();
    },
  };
}
