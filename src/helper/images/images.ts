import type { Disposer } from "../../base/disposables.ts";
import type { Log } from "../../base/log.ts";
import type { Accelerator } from "../../protocol/host.ts";
import type {
  Architecture,
  Image,
  ImageReport,
  ImageState,
} from "../../protocol/images.ts";
import { bug } from "../../protocol/failure.ts";
import type { ImageFiles, Layout } from "../store/layout.ts";

export type WorkingState = Extract<ImageState, { kind: "working" }>;

/** What a machine needs to know of a ready image to stand on it. */
export interface GoldenImage {
  readonly name: string;
  /** `sha256:<64 hex>` of the golden disk. */
  readonly digest: string;
  readonly architecture: Architecture;
  readonly files: ImageFiles;
  readonly virtualSizeBytes: number;
  readonly defaultUser: string;
  /** Seconds to SSH under hardware acceleration. */
  readonly expectedBootSeconds: number;
  /** True: start `files.kernel` with `files.initrd` and `kernelArguments`; false: firmware and boot loader. */
  readonly directBoot: boolean;
  readonly kernelArguments?: string;
}

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
}

export interface ObtainOptions {
  /** `auto`: download, and build where the download's host can't be reached and a recipe exists. */
  readonly method?: "auto" | "download" | "build" | undefined;
  /** Make it anew although one is ready. Machines keep the digest that they stand on. */
  readonly force?: boolean | undefined;
}

export interface ImportOptions {
  readonly path: string;
  /** Default: from the file's name. */
  readonly name?: string | undefined;
  /** `sha256:…` or `sha512:…` of the file. */
  readonly checksum?: string | undefined;
  /** User that machines log in as. Default: `guest`. */
  readonly user?: string | undefined;
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
   * Brings an image here if it isn't: at once when ready, else by the one job of this name, which callers share.
   * Aborting `signal` leaves the job; the last one to leave cancels it.
   */
  obtain(
    name: string,
    options: ObtainOptions,
    onProgress: ((state: WorkingState) => void) | undefined,
    signal?: AbortSignal,
  ): Promise<GoldenImage>;
  importFile(options: ImportOptions, signal?: AbortSignal): Promise<Image>;
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
export function createImages(options: ImagesOptions): Promise<Images> {
  return Promise.reject(
    bug(`The images room below ${options.layout.images} is not built yet.`),
  );
}
