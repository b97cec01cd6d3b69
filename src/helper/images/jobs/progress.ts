import type { ImageState } from "../../../protocol/images.ts";

/** Words for people and for what draws them; setup's passes as Microsoft names them. */
export type InstallStage =
  | "firmware"
  | "setup"
  /** Of a disk that came with Windows: nobody inside has answered yet. */
  | "start"
  | "specialize"
  | "first logon"
  | "verification"
  | "remediation";

export type WorkingState = Extract<ImageState, { kind: "working" }>;

/** What a step says of itself; the job adds since when. */
export interface StageProgress {
  readonly stage:
    | "download"
    | "verify"
    | "convert"
    | "build"
    | "prepare"
    | "validate"
    | "pack"
    | "unpack"
    | InstallStage;
  /** One short phrase for people. */
  readonly detail?: string;
  readonly bytes?: number;
  readonly totalBytes?: number;
  readonly bytesPerSecond?: number;
  /** 0..1; derived from the bytes where absent. */
  readonly fraction?: number;
  /** Socket of the screen where the work is to be seen. */
  readonly screen?: string;
}

/** Makes a record's state of a step's progress. Pure. */
export function workingState(
  progress: StageProgress,
  before: WorkingState | undefined,
  nowMs: number,
): WorkingState {
  const { bytes, totalBytes } = progress;
  const fraction =
    progress.fraction ??
    (bytes !== undefined && totalBytes !== undefined && totalBytes > 0
      ? bytes / totalBytes
      : undefined);
  return {
    kind: "working",
    ...progress,
    sinceMs: before?.stage === progress.stage ? before.sinceMs : nowMs,
    ...(fraction === undefined
      ? {}
      : { fraction: Math.min(1, Math.max(0, fraction)) }),
  };
}
