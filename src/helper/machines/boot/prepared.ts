import type { VmSpec } from "../../qemu/commandLine.ts";

/** What is known of a start only when it comes. */
export type StartSpec = Pick<
  VmSpec,
  "network" | "memoryFile" | "incoming" | "machineType"
>;

/** A machine that is ready to be started. */
export interface Prepared {
  readonly arguments: (start: StartSpec) => string[];
  /** Starts what QEMU needs beside its network; ends with QEMU. */
  readonly begin: (signal?: AbortSignal) => Promise<void>;
  /** Ends that where QEMU did not come. */
  readonly abandon: () => Promise<void>;
}
