import type { Qmp } from "./qmp.ts";

/** What crossed the guest's network card, seen from QEMU's side of the queues, not by the guest's word. */
export interface NetworkCounters {
  /** False: no driver in the guest has taken the card. */
  readonly driver: boolean;
  /** Since the driver started, modulo 65,536: zero means nothing at all. */
  readonly sentFrames: number;
  readonly receivedFrames: number;
}
/** Undefined where this QEMU can't tell. */
export declare function networkCounters(
  qmp: Qmp,
  signal?: AbortSignal,
): Promise<NetworkCounters | undefined>;
