import { faultPoint } from "../../base/faultPoint.ts";
import { cancelled } from "../../protocol/failure.ts";
import type { Qmp } from "../qemu/qmp.ts";
import type { Layout, MachineFiles } from "../store/layout.ts";
import { type Freeze, freezeFaults, prepareFreeze } from "./freeze.ts";
import {
  type Migration,
  prepareMigration,
  putBack,
  resetMigration,
  runState,
  startMigration,
  stopSoon,
} from "./migration.ts";
import { receiveStream } from "./receiver.ts";

/** Steps of a capture that a test may end the helper at. */
export const captureFaults = [
  ...freezeFaults,
  "capture.started",
  "capture.halted",
  "capture.frozen",
  "capture.completed",
  "capture.resumed",
  "capture.kept",
] as const;

export interface CaptureJob {
  readonly qmp: Qmp;
  readonly layout: Layout;
  readonly files: MachineFiles;
  /** Socket that QEMU sends to; short enough for `sun_path`. */
  readonly socketPath: string;
  /** Gets the whole migration stream; absent: the disk only, and the guest does not stand still. */
  readonly statePath?: string | undefined;
  /** False leaves the disk alone: it stays as it is because QEMU ends. */
  readonly freeze: boolean;
  /** What the guest does afterwards: what it did before, or nothing more. */
  readonly after: "goOn" | "stay";
  /**
   * `precopy` sends the memory while the guest runs and stops it for the rest; `stop` stops it at once. Default: the
   * former.
   */
  readonly strategy?: "precopy" | "stop";
}

export interface Captured {
  /** Holds the disk as of that moment; absent without a freeze. */
  readonly layer: string | undefined;
  readonly stateBytes: number;
  /** How long the guest stood still, by QEMU's word; 0 when it did before or still does. */
  readonly pausedMs: number;
}

/** What may be left to send when the guest is stopped, in time. QEMU's default is 300. */
const downtimeMs = 20;
/** A guest that writes faster than this sends its memory again and again: then it is stopped all the same. */
const maxPasses = 6;
const maxPrecopyMs = 60_000;
const lookMs = 50;

/**
 * Keeps a living machine as it is at one moment: its memory and devices as a migration stream in a file, its disk as an
 * immutable layer, taken while the guest stands still. On any failure and on abort the guest does what it did before
 * and no file stays behind.
 * Throws `machines.captureFailed`, `host.diskFull`, `qemu.monitor`, or is cancelled.
 */
export async function captureMachine(
  job: CaptureJob,
  signal: AbortSignal,
): Promise<Captured> {
  signal.throwIfAborted();
  const freeze = job.freeze ? await prepareFreeze(job, signal) : undefined;
  if (job.statePath === undefined) {
    await freeze?.commit();
    return { layer: freeze?.layer, stateBytes: 0, pausedMs: 0 };
  }
  try {
    return await captureWithMemory(job, job.statePath, freeze, job.qmp, signal);
  } catch (error) {
    await freeze?.undo().catch(() => undefined);
    throw error;
  }
}

async function captureWithMemory(
  job: CaptureJob,
  statePath: string,
  freeze: Freeze | undefined,
  qmp: Qmp,
  signal: AbortSignal,
): Promise<Captured> {
  const receiver = await receiveStream(job.socketPath, statePath);
  const ran = (await runState(qmp)) === "running";
  let before: Awaited<ReturnType<typeof prepareMigration>> | undefined;
  let migration: Migration | undefined;
  try {
    before = await prepareMigration(qmp, downtimeMs);
    migration = await startMigration(qmp, job.socketPath);
    faultPoint("capture.started");
    const brokenOff = untilBroken(receiver.received, signal);
    if (job.strategy === "stop") await qmp.execute("stop");
    await Promise.race([halted(qmp, migration, signal), brokenOff]);
    faultPoint("capture.halted");
    await freeze?.commit();
    faultPoint("capture.frozen");
    await qmp.execute("migrate-continue", { state: "pre-switchover" });
    await Promise.race([migration.reached("completed"), brokenOff]);
    faultPoint("capture.completed");
    // The guest does not wait for the disk of the host.
    if (job.after === "goOn") await putBack(qmp, ran);
    faultPoint("capture.resumed");
    const pausedMs = pauseOf(migration, ran && job.after === "goOn");
    const stateBytes = await receiver.received;
    await receiver.keep();
    faultPoint("capture.kept");
    return { layer: freeze?.layer, stateBytes, pausedMs };
  } catch (error) {
    await migration?.cancel().catch(() => undefined);
    await putBack(qmp, ran).catch(() => undefined);
    throw error;
  } finally {
    await migration?.close();
    await receiver.close();
    await resetMigration(qmp, before).catch(() => undefined);
  }
}

/** Waits for the guest's stop before the last data, and brings it about when the memory changes too fast. */
async function halted(
  qmp: Qmp,
  migration: Migration,
  signal: AbortSignal,
): Promise<void> {
  const deadlineMs = Date.now() + maxPrecopyMs;
  const look = setInterval(() => {
    if (migration.passes() < maxPasses && Date.now() < deadlineMs) return;
    clearInterval(look);
    if (!signal.aborted) stopSoon(qmp).catch(() => undefined);
  }, lookMs);
  try {
    await migration.reached("pre-switchover");
  } finally {
    clearInterval(look);
  }
}

/** Never resolves; rejects when the file can't be written or the caller has had enough. */
function untilBroken(
  received: Promise<number>,
  signal: AbortSignal,
): Promise<never> {
  const broken = new Promise<never>((_, reject) => {
    received.catch(reject);
    const abort = (): void => reject(cancelled());
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
  });
  broken.catch(() => undefined);
  return broken;
}

function pauseOf(migration: Migration, resumed: boolean): number {
  const stopped = migration.stoppedAtMs();
  const went = migration.resumedAtMs();
  if (!resumed || stopped === undefined || went === undefined) return 0;
  return Math.max(0, went - stopped);
}
