import type { Architecture } from "../../../protocol/images.ts";
import type { LayerName } from "../build/layers.ts";
import type { ImageFacts } from "../disks/facts.ts";
import type { StageProgress } from "../jobs/progress.ts";

/** The parts of a golden image, somewhere in the job's own folder. */
export interface MadeImage {
  /** qcow2 without a backing file. */
  readonly diskPath: string;
  readonly facts: ImageFacts;
  /** All three for a direct boot; an initrd is optional. */
  readonly kernelPath?: string;
  readonly initrdPath?: string;
  readonly kernelArguments?: string;
}

export type OnProgress = (progress: StageProgress) => void;

/** How to build one image of the catalog on this host. */
export interface Recipe {
  /** Names the inputs: equal keys give equal images. */
  readonly key: (signal: AbortSignal) => Promise<string>;
  readonly build: (
    workFolder: string,
    onProgress: OnProgress,
    signal: AbortSignal,
  ) => Promise<MadeImage>;
}

export interface PrepareRequest {
  readonly name: string;
  /** Standalone qcow2; is written to. */
  readonly diskPath: string;
  readonly architecture: Architecture;
  readonly firmware: "bios" | "uefi";
  readonly expectedBootSeconds: number;
  /** Logs in for the preparation; afterwards there is no such user until a clone's seed makes it. */
  readonly defaultUser: string;
  readonly workFolder: string;
  /** What is installed beside the usual; default: nothing. */
  readonly layers?: readonly LayerName[];
}
/** Turns a stock disk into the parts of a golden image by booting it once. */
export type Prepare = (
  request: PrepareRequest,
  onProgress: OnProgress,
  signal: AbortSignal,
) => Promise<MadeImage>;
