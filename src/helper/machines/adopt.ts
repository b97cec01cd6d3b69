import { rm } from "node:fs/promises";
import { uptime } from "node:os";
import { readIfPresent, sweepTemporary } from "../../base/files.ts";
import type { Log } from "../../base/log.ts";
import { toFailure } from "../../protocol/failure.ts";
import type { MachineState } from "../../protocol/machines.ts";
import { endStrayPassts } from "../networks/passtProcess.ts";
import {
  endProcess,
  findQemu,
  isOurQemu,
  processIdentity,
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
  writeRecord,
} from "../store/records.ts";
import { emptyDisk, isFresh } from "./emptyDisk.ts";
import { letGo } from "./hold.ts";
import { removeLeftovers } from "./leftovers.ts";
import { hasLostNetwork, networkGone } from "./networkGone.ts";
import { rebuildHandles } from "./rebuildHandles.ts";
import { settleMachine } from "./settle.ts";
import { pausedByDisk } from "./supervise.ts";
import type { Entry, Live } from "./entry.ts";
import type { MachineRegistry } from "./registry.ts";

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

async function adopt(id: string, deps: AdoptDeps): Promise<void> {
  const { layout, registry } = deps;
  const log = deps.log.with({ machine: id });
  const files = layout.machine(id);
  const read = await readRecord(files);
  if (read.kind === "corrupt") {
    // Its disk may be precious: leave everything for a human.
    log.error("the machine's record can't be read; it is left alone", {
      reason: read.reason,
      path: files.record,
    });
    return;
  }
  if (read.kind === "missing") {
    log.info("removing a machine that was never finished");
    for (const stray of await findQemu(files.qmpSocket)) {
      await endProcess(stray, "SIGKILL");
      await waitForExit(stray, 5_000);
    }
    await removeLeftovers(files);
    await removeFolder(files.folder);
    await rm(files.log, { force: true });
    return;
  }
  await sweepTemporary(files.folder);
  let record = read.value;
  const known = await readHandles(files);
  let identity = await findLiving(files, known);
  let cleared = true;
  const settled = (qmp: Qmp | undefined): Promise<MachineRecord> =>
    ifRoom(log, record, () => settleMachine(layout, record, qmp));
  const capturing = known.kind === "read" ? known.value.capturing : undefined;
  if (record.rollingBack !== undefined || record.resumeFrom !== undefined) {
    // The record has it that this guest's present is over, or that it had not begun.
    await end(identity, log);
    if (known.kind !== "missing" && isFresh(record))
      cleared = await ifRoom(log, false, async () => {
        await emptyDisk(files);
        return true;
      });
    identity = undefined;
  }
  if (identity === undefined) {
    const suspended =
      capturing?.suspend === true && record.resumeFrom?.kind === "state";
    if (
      known.kind !== "missing" &&
      (suspended || record.resumeFrom === undefined)
    ) {
      const startedAtMs =
        known.kind === "read" ? known.value.startedAtMs : Date.now();
      const bootedAtMs = Date.now() - uptime() * 1000;
      const reason = suspended
        ? "suspended"
        : startedAtMs < bootedAtMs
          ? "hostRestarted"
          : "crashed";
      const ended: MachineRecord = { ...record, lastStop: { reason } };
      record = ended;
      await ifRoom(log, undefined, () => writeRecord(files, ended));
      log.info("machine ended while nobody watched", { reason });
    }
    record = await settled(undefined);
    // By its handles the next start knows that the disk has to be emptied yet.
    if (cleared) await removeLeftovers(files);
    registry.add(record, { kind: "stopped", ...record.lastStop });
    return;
  }
  const handles = {
    ...(known.kind === "read" && known.value.pid === identity.pid
      ? known.value
      : await rebuildHandles(files, identity, record)),
    capturing: undefined,
  };
  const qmp = await connectQmp(files.qmpSocket, { timeoutMs: 5_000 }).catch(
    (error: unknown) => {
      log.warn("an adopted QEMU's monitor does not answer", { error });
      return undefined;
    },
  );
  if (qmp !== undefined) {
    if (capturing !== undefined) await letGo(capturing, qmp);
    record = await settled(qmp);
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
  entry.live = live;
  entry.boot = handles.boot;
  registry.tell(entry);
  log.info("adopted", { pid: handles.pid, state: state.kind });
  // The disk of a copy that ended with the helper before this one.
  if (qmp !== undefined)
    void registry.locks
      .run(id, () => unplugDisk(qmp))
      .catch((error: unknown) => {
        log.info("a lent disk could not be looked for", { error });
      });
  deps.onLiving(entry, live, state.kind === "starting");
}

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
    log.warn("the disk is full: a machine is not settled yet", { error });
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

/** The machine's QEMU by its handles, else by its pid file, else by looking at every process of ours. */
async function findLiving(
  files: MachineFiles,
  known: Awaited<ReturnType<typeof readHandles>>,
): Promise<ProcessIdentity | undefined> {
  if (known.kind === "read") {
    const { pid, startTime } = known.value;
    if (await isOurQemu({ pid, startTime }, files.qmpSocket))
      return { pid, startTime };
  }
  const pidText = await readIfPresent(files.pidFile);
  if (pidText === undefined && known.kind === "missing") return undefined;
  const pid = Number(pidText?.trim());
  if (Number.isInteger(pid) && pid > 0) {
    const identity = await processIdentity(pid);
    if (identity !== undefined && (await isOurQemu(identity, files.qmpSocket)))
      return identity;
  }
  return (await findQemu(files.qmpSocket))[0];
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
