import { faultPoint } from "../../base/faultPoint.ts";
import { cancelled } from "../../protocol/failure.ts";
import type { AcceleratorKind } from "../../protocol/host.ts";
import type { Qmp } from "../qemu/qmp.ts";
import type { Layout, MachineFiles } from "../store/layout.ts";
import {
  type Freeze,
  freezeFaults,
  prepareFreeze,
  recoverDisk,
} from "./freeze.ts";
import { readMemoryFile } from "./memoryFile.ts";
import {
  type Migration,
  prepareMigration,
  putBack,
  resetMigration,
  runState,
  startMigration,
  stopSoon,
} from "./saveState.ts";
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

/** `precopy` sends the memory while the guest runs and stops it for the rest; `stop` stops it at once. */
export type Strategy = "precopy" | "stop";

/**
 * The shortest pause that keeps every byte. Under emulation QEMU (7.2) now and then misses a write to a page that it has
 * sent already: the parent never notices, but one copy in four of a busy guest died of it in the kernel. Hypervisors
 * keep the account of written pages themselves.
 */
export const strategyFor = (accelerator: AcceleratorKind): Strategy =>
  accelerator === "kvm" ? "precopy" : "stop";

export interface CaptureJob {
  readonly qmp: Qmp;
  readonly layout: Layout;
  readonly files: MachineFiles;
  /** Gets the whole migration stream; absent: the disk only, and the guest does not stand still. */
  readonly statePath?: string | undefined;
  /** Default `stop`; see `strategyFor`. */
  readonly strategy?: Strategy;
}

export interface Captured {
  /** Holds the disk as of that moment. */
  readonly layer: string;
  /** 0 without memory. */
  readonly stateBytes: number;
  /** How long the guest stood still, by QEMU's word; 0 when it did before. */
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
  const freeze = await prepareFreeze(job, signal);
  const { layer } = freeze;
  try {
    if (job.statePath === undefined) {
      await freeze.commit();
      return { layer, stateBytes: 0, pausedMs: 0 };
    }
    return {
      layer,
      ...(await saveMemory(job, job.statePath, freeze, signal)),
    };
  } catch (error) {
    await freeze.undo().catch(() => undefined);
    throw error;
  }
}

/**
 * Keeps the memory of a machine whose QEMU is to end: the guest stands still for good, and its disk stays as it is.
 * Answers with the bytes written. On failure and on abort the guest does what it did before. Throws as
 * `captureMachine` does.
 */
export async function captureForGood(
  job: CaptureJob & { readonly statePath: string },
  signal: AbortSignal,
): Promise<number> {
  signal.throwIfAborted();
  await recoverDisk(job.layout, job.files, job.qmp);
  return (await saveMemory(job, job.statePath, undefined, signal)).stateBytes;
}

/** The guest goes on afterwards when there is a freeze, and only then. */
async function saveMemory(
  job: CaptureJob,
  statePath: string,
  freeze: Freeze | undefined,
  signal: AbortSignal,
): Promise<{ stateBytes: number; pausedMs: number }> {
  const { qmp } = job;
  const socketPath = job.files.captureSocket;
  const receiver = await receiveStream(socketPath, statePath);
  const ran = (await runState(qmp)) === "running";
  let before: Awaited<ReturnType<typeof prepareMigration>> | undefined;
  let migration: Migration | undefined;
  const over = new AbortController();
  try {
    if (ran && freeze !== undefined) await readMemoryFile(qmp, signal);
    before = await prepareMigration(qmp, downtimeMs);
    const haltedAtMs = Date.now();
    // Before the first page is sent: see `strategyFor`.
    if (job.strategy !== "precopy") await qmp.execute("stop");
    migration = await startMigration(qmp, socketPath);
    faultPoint("capture.started");
    const brokenOff = untilBroken(receiver.received, signal, over.signal);
    await Promise.race([halted(qmp, migration, signal), brokenOff]);
    faultPoint("capture.halted");
    await freeze?.commit();
    faultPoint("capture.frozen");
    await qmp.execute("migrate-continue", { state: "pre-switchover" });
    await Promise.race([migration.reached("completed"), brokenOff]);
    faultPoint("capture.completed");
    // The guest does not wait for the disk of the host.
    if (freeze !== undefined) await putBack(qmp, ran);
    faultPoint("capture.resumed");
    const pausedMs =
      ran && freeze !== undefined ? pauseOf(migration, haltedAtMs) : 0;
    const stateBytes = await receiver.received;
    await receiver.keep();
    faultPoint("capture.kept");
    return { stateBytes, pausedMs };
  } catch (error) {
    await migration?.cancel().catch(() => undefined);
    await putBack(qmp, ran).catch(() => undefined);
    throw signal.aborted ? error : await receiver.blame(error);
  } finally {
    over.abort();
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
  over: AbortSignal,
): Promise<never> {
  const broken = new Promise<never>((_, reject) => {
    received.catch(reject);
    const abort = (): void => reject(cancelled());
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true, signal: over });
  });
  broken.catch(() => undefined);
  return broken;
}

/** By QEMU's events; a guest that was stopped before they were listened to stood still since `haltedAtMs`. */
function pauseOf(migration: Migration, haltedAtMs: number): number {
  const stopped = migration.stoppedAtMs() ?? haltedAtMs;
  const went = migration.resumedAtMs();
  return went === undefined ? 0 : Math.max(0, went - stopped);
}
