import type { Qmp } from "./qmp.ts";

/** A process that can't be mistaken for a later one with the same number (B15). */
export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque; equal for the same process only, across reboots too. */
  readonly startTime: string;
}

export interface Launch {
  readonly binary: string;
  readonly args: readonly string[];
  /** Gets QEMU's own messages. */
  readonly logPath: string;
  readonly cwd: string;
  /** The one named in `args`; the launch is over when QEMU answers there. */
  readonly qmpSocket: string;
  /** Default 30 s. */
  readonly timeoutMs?: number;
}

export interface LaunchedQemu extends ProcessIdentity {
  /** QEMU serves one monitor connection at a time: this is it. */
  readonly qmp: Qmp;
}

export declare function launchQemu(
  launch: Launch,
  signal?: AbortSignal,
): Promise<LaunchedQemu>;
export declare function processIdentity(
  pid: number,
): Promise<ProcessIdentity | undefined>;
export declare function isSameProcess(
  identity: ProcessIdentity,
): Promise<boolean>;
/** Same process and its command line has `marker` (the QMP socket path) in an argument (B15). */
export declare function isOurQemu(
  identity: ProcessIdentity,
  marker: string,
): Promise<boolean>;
/** Every process of this user whose command line names `marker`: adoption without handles. */
export declare function findQemu(marker: string): Promise<ProcessIdentity[]>;
/** Sends only when it is still the same process; false when that one is gone. */
export declare function endProcess(
  identity: ProcessIdentity,
  signalName: "SIGTERM" | "SIGKILL",
): Promise<boolean>;
/** Resolves true when the process is gone, false after `timeoutMs`. */
export declare function waitForExit(
  identity: ProcessIdentity,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<boolean>;
export interface ProcessUsage {
  readonly cpuSeconds: number;
  /** Proportional share where the system tells it (Linux), resident set elsewhere. */
  readonly memoryBytes: number;
}
export declare function processUsage(
  pid: number,
): Promise<ProcessUsage | undefined>;
