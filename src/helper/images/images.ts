import type { Disposer } from "../../base/disposables.ts";
import type { Log } from "../../base/log.ts";
import type { Accelerator } from "../../protocol/host.ts";
import { refused } from "../../protocol/failure.ts";
import type {
  Architecture,
  GuestSystem,
  Image,
  ImageReport,
} from "../../protocol/images.ts";
import type { Layout } from "../store/layout.ts";
import { auditImage } from "./audit.ts";
import { readManifest, writeArchive } from "./archive.ts";
import { openBuildCache } from "./buildCache.ts";
import {
  type Catalog,
  type RecipeName,
  catalogEntries,
  loadCatalog,
} from "./catalog.ts";
import { clearWorkFolders } from "./finish.ts";
import { type GoldenImage, goldenImage } from "./goldenImage.ts";
import { createHttp } from "./http.ts";
import { importArchive } from "./importArchive.ts";
import { importName } from "./importName.ts";
import { createJobs } from "./jobs.ts";
import { type DiskToKeep, keepDisk } from "./keepDisk.ts";
import { createLedger } from "./ledger.ts";
import type { Prepare, Recipe } from "./made.ts";
import {
  type DiskIntent,
  type Maker,
  discardPartials,
  makeCatalogImage,
  prepareDisk,
} from "./make.ts";
import { endAbandonedPreparations } from "./preparationMachine.ts";
import { diskPreparation } from "./prepare.ts";
import type { WorkingState } from "./progress.ts";
import { hostRecipes } from "./recipes.ts";
import { requireUnused } from "./requireUnused.ts";
import { type StoredImage, openStore } from "./store.ts";
import { takeInWindowsDisk } from "./windows/importDisk.ts";
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
  /** Default: this host's builders. */
  readonly recipes?: Readonly<Record<RecipeName, Recipe>>;
  /** Default: boots the disk once in a preparation machine. */
  readonly prepare?: Prepare;
  /** How Windows is installed, where it differs from the usual. */
  readonly windows?: Partial<InstallSettings>;
}

export interface ObtainOptions {
  /** `auto`: download, and build where the download's host can't be reached and a recipe exists. */
  readonly method?: "auto" | "download" | "build" | undefined;
  /** Make it anew although one is ready, here or in the cache. Machines keep the digest that they stand on. */
  readonly force?: boolean | undefined;
}

export interface ImportOptions {
  readonly path: string;
  /** Default: from the file's name. */
  readonly name?: string | undefined;
  /** `sha256:…` or `sha512:…` of the file. */
  readonly checksum?: string | undefined;
  /** User that machines log in as. Default: `guest`; of Windows it must be told, as it is there already. */
  readonly user?: string | undefined;
  /** Default: Linux. */
  readonly os?: GuestSystem | undefined;
  /** See `images.import` of the contract. */
  readonly generalized?: boolean | undefined;
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
  const cacheFolder = env["GUESTHOUSE_IMAGE_CACHE"];
  const http = createHttp(env, { connectTimeoutMs: 5000 });
  const maker: Maker = {
    layout,
    store,
    http,
    log,
    cache: openBuildCache(cacheFolder, log),
    recipes: options.recipes ?? hostRecipes({ ...options, cacheFolder }),
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
  const golden = (stored: StoredImage): GoldenImage =>
    goldenImage(stored, layout);
  /** Tells the record after the job is over, when it says ready and no longer working. */
  const settled = async <T>(name: string, work: Promise<T>): Promise<T> => {
    const result = await work;
    ledger.tell(name);
    return result;
  };

  const images: Images = {
    list: () => Promise.resolve(ledger.names().map(ledger.recordOf)),
    show: (name) =>
      ledger.known(name)
        ? Promise.resolve(ledger.recordOf(name))
        : Promise.reject(ledger.missing(name)),
    resolve: (nameOrDigest) => {
      const stored =
        store.images().get(nameOrDigest) ?? ledger.storedAs(nameOrDigest);
      return stored === undefined || ledger.isLeaving(stored.record.digest)
        ? Promise.reject(ledger.missing(nameOrDigest))
        : Promise.resolve(golden(stored));
    },
    obtain: async (name, wish, onProgress, signal) => {
      const { method = "auto", force = false } = wish;
      const stored = ledger.storedAs(name);
      if (stored?.report.usable === true && !force) return golden(stored);
      const entry = entries.get(name);
      if (entry === undefined && installs.has(name)) {
        await installs.again(name, onProgress, signal);
        return images.resolve(name);
      }
      if (entry === undefined) throw ledger.missing(name);
      const job = jobs.run(
        name,
        "obtain",
        async (progress, within) => {
          ledger.setFailure(name, undefined);
          const made = await makeCatalogImage(
            maker,
            entry,
            { method, anew: force },
            progress,
            within,
          );
          await ledger.dropSuperseded(name);
          return made;
        },
        onProgress,
        signal,
      );
      return golden(await settled(name, job));
    },
    importFile: async (options, signal) => {
      const { path, name: wanted, checksum, user, os } = options;
      if (os === "windows" && user === undefined) throw userNeeded();
      const generalized = options.generalized === true;
      if (generalized && os !== "windows") throw onlyOfWindows();
      const manifest = await readManifest(path);
      const name = importName(wanted ?? manifest?.name, path);
      // What could not be prepared is what is imported as it is, then.
      await installs.forget(name);
      const present = ledger.storedAs(name)?.record.source;
      const renews =
        present?.kind === "prebuild" &&
        manifest?.source.kind === "prebuild" &&
        present.key === manifest.source.key;
      if (ledger.known(name) && !renews)
        throw refused("images.exists", `There is an image “${name}” already.`, {
          remedy: "Give the import another name, or delete that image first.",
        });
      const intent: DiskIntent = {
        name,
        title: name,
        architecture,
        // ARM machines have no other firmware; PCs have a choice, which the disk decides.
        ...(architecture === "arm64" ? { firmware: "uefi" } : {}),
        defaultUser: user ?? "guest",
        expectedBootSeconds: importedBootSeconds,
        source: (format) => ({ kind: "imported", path, format }),
      };
      const job = jobs.run(
        name,
        "import",
        async (progress, within) => {
          if (manifest === undefined) {
            const disk = { source: path, checksum };
            return os === "windows"
              ? takeInWindowsDisk(
                  maker,
                  { ...intent, generalized },
                  disk,
                  progress,
                  within,
                )
              : prepareDisk(maker, intent, disk, progress, within);
          }
          const archive = { name, path, checksum, manifest };
          const made = await importArchive(maker, archive, progress, within);
          await ledger.dropSuperseded(name);
          return made;
        },
        undefined,
        signal,
      );
      await settled(name, job);
      return ledger.recordOf(name);
    },
    exportFile: async (name, path, signal) => {
      const stored = ledger.storedAs(name);
      if (stored === undefined) throw ledger.missing(name);
      const { digest } = stored.record;
      const release = ledger.hold(digest);
      const files = layout.image(digest);
      try {
        const job = jobs.run(
          name,
          "export",
          (progress, within) =>
            writeArchive(stored, files, path, progress, within),
          undefined,
          signal,
        );
        return await settled(name, job);
      } finally {
        void release();
      }
    },
    keep: async (disk, onProgress, signal) => {
      const base = store.images().get(disk.base);
      if (base === undefined) throw ledger.missing(disk.base);
      const job = jobs.run(
        disk.name,
        "keep",
        async (progress, within) => {
          await keepDisk(maker, disk, base, progress, within);
          await ledger.dropSuperseded(disk.name);
        },
        onProgress,
        signal,
      );
      await settled(disk.name, job);
      return ledger.recordOf(disk.name);
    },
    validate: async (name, signal) => {
      const stored = ledger.storedAs(name);
      if (stored === undefined) throw ledger.missing(name);
      const { digest } = stored.record;
      const job = jobs.run(
        name,
        "validate",
        async (progress, within) => {
          const files = layout.image(digest);
          const result = await auditImage(stored, files, progress, within);
          await store.setReport(digest, result);
          return result;
        },
        undefined,
        signal,
      );
      const report = await settled(name, job);
      return { image: ledger.recordOf(name), report };
    },
    remove: async (name) => {
      requireUnused(name, ledger);
      const digests = ledger.digestsOf(name);
      return ledger.whileLeaving(digests, async () => {
        const hadInstall = await installs.forget(name);
        const hadFailed = ledger.setFailure(name, undefined) || hadInstall;
        const hadPartial = await discardPartials(layout, name);
        if (digests.length === 0 && !hadFailed && !hadPartial)
          throw ledger.missing(name);
        await store.forgetName(name);
        let freedBytes = 0;
        for (const digest of digests) freedBytes += await store.drop(digest);
        ledger.tell(name);
        return freedBytes;
      });
    },
    cancel: (name) => jobs.cancel(name),
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
  return images;
}

const userNeeded = (): Error =>
  refused(
    "request.invalid",
    "Whose account of Windows machines log in to must be said.",
    { remedy: "Give it with --user; it must be an administrator's." },
  );

const onlyOfWindows = (): Error =>
  refused("request.invalid", "Only disks with Windows are generalized.", {
    remedy: "Leave it out: every clone of Linux gets a seed.",
  });

/** Of a disk that nobody here knows. */
const importedBootSeconds = 40;
