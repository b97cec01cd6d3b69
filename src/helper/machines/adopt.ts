/*
 * What an earlier helper left, taken over once when this one starts, before anything else is done with machines. Each
 * folder becomes a machine in the registry that runs or is stopped, or goes. Never signals a process that isn't ours, and
 * never removes what it can't read.
 */
import { rm } from "node:fs/promises";
import { uptime } from "node:os";
import { sweepTemporary } from "../../base/files.ts";
import type { Log } from "../../base/log.ts";
import { toFailure } from "../../protocol/failure.ts";
import type { MachineState } from "../../protocol/machines.ts";
import { endStrayPassts } from "../networks/passtProcess.ts";
import {
  endProcess,
  findQemu,
  type ProcessIdentity,
  waitForExit,
} from "../qemu/process.ts";
import { unplugDisk } from "../qemu/hotPlug.ts";
import { connectQmp, type Qmp } from "../qemu/qmp.ts";
import { endStraySwtpms } from "../qemu/swtpm.ts";
import { removeUnusedLayers } from "../snapshots/layers.ts";
import type { Layout, MachineFiles } from "../store/layout.ts";
import {
  machineIds,
  type MachineHandles,
  type MachineRecord,
  readHandles,
  readRecord,
  removeFolder,
  sweepDoomed,
  writeHandles,
} from "../store/records.ts";
import { emptyDisk, isFresh } from "./running/emptyDisk.ts";
import { findLiving } from "./running/findLiving.ts";
import { letGo } from "./running/hold.ts";
import { removeLeftovers } from "./roster/leftovers.ts";
import { hasLostNetwork, networkGone } from "./running/networkGone.ts";
import { rebuildHandles } from "./running/rebuildHandles.ts";
import { recoverMachine } from "./saved/recover.ts";
import { pausedByDisk } from "./running/supervise.ts";
import type { Entry, Live } from "./roster/entry.ts";
import type { MachineRegistry } from "./roster/registry.ts";

export interface AdoptDeps {
  readonly layout: Layout;
  readonly registry: MachineRegistry;
  readonly log: Log;
  /** Takes a living machine into care: supervision, and its boot if it is not over. */
  readonly onLiving: (entry: Entry, live: Live, booting: boolean) => void;
}

/**
 * Takes over what an earlier helper left (B14, B15, B20): living QEMUs are adopted, dead ones demoted and cleaned up,
 * half-made machines removed. A process counts as ours only by pid, start time and the socket path in its command
 * line, so that a recycled pid is never touched.
 */
export async function adoptMachines(deps: AdoptDeps): Promise<void> {
  const { layout, registry } = deps;
  const ids = await machineIds(layout);
  await sweepDoomed(layout.machines);
  const batch = 64;
  for (let i = 0; i < ids.length; i += batch)
    await Promise.all(ids.slice(i, i + batch).map((id) => adopt(id, deps)));
  // A helper that was killed between starting passt and QEMU left one that waits for ever.
  await endStrayPassts(
    layout.run,
    registry
      .entries()
      .filter(({ live }) => live !== undefined)
      .map(({ record }) => layout.machine(record.id).network.socketPath),
  );
  await endStraySwtpms(layout.run);
  await removeUnusedLayers(layout).catch((error: unknown) => {
    deps.log.warn("layers are left alone", { error });
  });
}

/** What an earlier helper left of one machine. */
interface Left {
  readonly record: MachineRecord;
  readonly files: MachineFiles;
  readonly handles: Awaited<ReturnType<typeof readHandles>>;
  /** In the midst of which it ended. */
  readonly capturing: MachineHandles["capturing"];
}

async function adopt(id: string, deps: AdoptDeps): Promise<void> {
  const log = deps.log.with({ machine: id });
  const own = { ...deps, log };
  const files = deps.layout.machine(id);
  const read = await readRecord(files);
  if (read.kind === "corrupt") {
    // Its disk may be precious: leave everything for a human.
    log.error("the machine's record can't be read; it is left alone", {
      reason: read.reason,
      path: files.record,
    });
    return;
  }
  if (read.kind === "missing") return removeUnfinished(files, log);
  await sweepTemporary(files.folder);
  const record = read.value;
  const handles = await readHandles(files);
  const capturing =
    handles.kind === "read" ? handles.value.capturing : undefined;
  const left: Left = { record, files, handles, capturing };
  const identity = await findLiving(files, handles);
  // The record has it that this guest's present is over, or that it had not begun.
  if (record.rollingBack !== undefined || record.resumeFrom !== undefined) {
    await end(identity, log);
    const isCleared = await emptyFreshDisk(left, log);
    await adoptStopped(left, isCleared, own);
  } else if (identity === undefined) await adoptStopped(left, true, own);
  else await adoptLiving(left, identity, own);
}

async function removeUnfinished(files: MachineFiles, log: Log): Promise<void> {
  log.info("removing a machine that was never finished");
  for (const stray of await findQemu(files.qmpSocket)) {
    await endProcess(stray, "SIGKILL");
    await waitForExit(stray, 5_000);
  }
  await removeLeftovers(files);
  await removeFolder(files.folder);
  await rm(files.log, { force: true });
}

/** False where the disk still has to be emptied, for want of room. */
async function emptyFreshDisk(
  { record, files, handles }: Left,
  log: Log,
): Promise<boolean> {
  if (handles.kind === "missing" || !isFresh(record)) return true;
  return ifRoom(log, false, async () => {
    await emptyDisk(files);
    return true;
  });
}

async function adoptStopped(
  { record, files, handles, capturing }: Left,
  isCleared: boolean,
  deps: AdoptDeps,
): Promise<void> {
  const { registry, log } = deps;
  const isSuspended =
    capturing?.suspend === true && record.resumeFrom?.kind === "state";
  let ended = record;
  if (
    handles.kind !== "missing" &&
    (isSuspended || record.resumeFrom === undefined)
  ) {
    const startedAtMs =
      handles.kind === "read" ? handles.value.startedAtMs : Date.now();
    const bootedAtMs = Date.now() - uptime() * 1000;
    const reason = isSuspended
      ? "suspended"
      : startedAtMs < bootedAtMs
        ? "hostRestarted"
        : "crashed";
    ended = { ...record, lastStop: { reason } };
    const written = ended;
    await ifRoom(log, undefined, () => registry.commitUnlisted(written));
    log.info("machine ended while nobody watched", { reason });
  }
  const recovered = await recover(ended, undefined, deps);
  // By its handles the next start knows that the disk has to be emptied yet.
  if (isCleared) await removeLeftovers(files);
  registry.add(recovered, { kind: "stopped", ...recovered.lastStop });
}

async function adoptLiving(
  left: Left,
  identity: ProcessIdentity,
  deps: AdoptDeps,
): Promise<void> {
  const { files, capturing } = left;
  const { registry, log } = deps;
  const handles = await handlesOf(left, identity);
  const qmp = await connectQmp(files.qmpSocket, { timeoutMs: 5_000 }).catch(
    (error: unknown) => {
      log.warn("an adopted QEMU's monitor does not answer", { error });
      return undefined;
    },
  );
  let { record } = left;
  if (qmp !== undefined) {
    if (capturing !== undefined) await letGo(capturing, qmp);
    record = await recover(record, qmp, deps);
    await ifRoom(log, undefined, () => writeHandles(files, handles));
  }
  const live: Live = {
    handles,
    qmp,
    stopReason: undefined,
    watch: new AbortController(),
    shutdownCause: undefined,
  };
  const state = (await hasLostNetwork(live))
    ? networkGone(live)
    : await stateOf(record.name, handles, qmp);
  const entry = registry.add(record, state);
  registry.attach(entry, live, state);
  log.info("adopted", { pid: handles.pid, state: state.kind });
  // The disk of a copy that ended with the helper before this one.
  if (qmp !== undefined)
    void registry.locks
      .run(record.id, () => unplugDisk(qmp))
      .catch((error: unknown) => {
        log.info("a lent disk could not be looked for", { error });
      });
  deps.onLiving(entry, live, state.kind === "starting");
}

/** As they were noted for this very process, else as they can be read from the system. */
async function handlesOf(
  { record, files, handles }: Left,
  identity: ProcessIdentity,
): Promise<MachineHandles> {
  const known =
    handles.kind === "read" && handles.value.pid === identity.pid
      ? handles.value
      : await rebuildHandles(files, identity, record);
  return { ...known, capturing: undefined };
}

const recover = (
  record: MachineRecord,
  qmp: Qmp | undefined,
  { layout, registry, log }: AdoptDeps,
): Promise<MachineRecord> =>
  ifRoom(log, record, () =>
    recoverMachine(record, qmp, {
      layout,
      commit: (recovered) => registry.commitUnlisted(recovered),
    }),
  );

/** On a full disk a machine is shown as it was found; its next start mends it, and any later helper. */
async function ifRoom<T>(
  log: Log,
  otherwise: T,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (toFailure(error).code !== "host.diskFull") throw error;
    log.warn("the disk is full: a machine is not recovered yet", { error });
    return otherwise;
  }
}

async function end(
  identity: ProcessIdentity | undefined,
  log: Log,
): Promise<void> {
  if (identity === undefined) return;
  log.info("ending a guest that the machine's record does not know", {
    pid: identity.pid,
  });
  await endProcess(identity, "SIGKILL");
  await waitForExit(identity, 5_000);
}

async function stateOf(
  name: string,
  handles: MachineHandles,
  qmp: Qmp | undefined,
): Promise<MachineState> {
  const status = (await qmp?.execute("query-status").catch(() => undefined)) as
    { status?: string } | undefined;
  if (status?.status === "io-error") return pausedByDisk(name);
  if (status?.status === "paused")
    return { kind: "paused", sinceMs: Date.now() };
  if (handles.readySinceMs !== undefined)
    return { kind: "running", sinceMs: handles.readySinceMs };
  return {
    kind: "starting",
    stage: handles.boot.at(-1)?.stage ?? "firmware",
    sinceMs: handles.startedAtMs,
  };
}
