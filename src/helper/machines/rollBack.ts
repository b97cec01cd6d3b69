import { link, rename, rm } from "node:fs/promises";
import { faultPoint } from "../../base/faultPoint.ts";
import {
  allocatedBytes,
  isMissing,
  syncFile,
  syncFolder,
} from "../../base/files.ts";
import { failed } from "../../protocol/failure.ts";
import { createOverlay } from "../qemu/block.ts";
import { endProcess, waitForExit } from "../qemu/process.ts";
import { readQcow2Header } from "../qemu/qcow2.ts";
import { partOf } from "../snapshots/layers.ts";
import type { Layout } from "../store/layout.ts";
import type { MachineRecord } from "../store/records.ts";
import { findCheckpoint, keepPresent } from "./checkpoints.ts";
import type { Entry, Live } from "./entry.ts";
import { stateKept } from "./fork.ts";
import { demand } from "./lifecycle.ts";
import type { SnapshotDeps } from "./offspring.ts";
import { finish } from "./supervise.ts";

/** Steps of a roll back that a test may end the helper at. */
export const rollBackFaults = [
  "rollBack.overlay",
  "rollBack.ended",
  "rollBack.decided",
  "rollBack.disk",
  "rollBack.state",
  "rollBack.recorded",
] as const;

/**
 * Puts a machine back to a checkpoint. Disk, memory and record must change together, so the record says first what is
 * to be done: from then on the roll back is completed, by this helper or by the next one (`completeRollBack`); before
 * it, the machine is what it was, though a living one may have been ended.
 * Answers whether the machine is to run now: it ran, or the checkpoint has its memory.
 */
export function rollBack(
  entry: Entry,
  which: string,
  options: { readonly keepPresent?: boolean | undefined },
  deps: SnapshotDeps,
  signal: AbortSignal,
): Promise<boolean> {
  const { layout, registry } = deps;
  return registry.locks.run(entry.record.id, async () => {
    demand("rollBack", entry.record.name, entry.state);
    const checkpoint = findCheckpoint(entry.record, which);
    if (options.keepPresent === true)
      await keepPresent(
        entry,
        {
          note: `before going back to ${checkpoint.note || checkpoint.id}`,
          automatic: true,
        },
        deps,
        signal,
      );
    const { live } = entry;
    const files = layout.machine(entry.record.id);
    try {
      await makeOverlay(layout, entry.record, checkpoint.layer, signal);
      faultPoint("rollBack.overlay");
      if (live !== undefined) await endLiving(entry, live, deps, "requested");
      faultPoint("rollBack.ended");
      await registry.rewrite(entry, {
        rollingBack: checkpoint.id,
        resumeFrom: undefined,
      });
    } catch (error) {
      await rm(partOf(files.disk), { force: true });
      throw error;
    }
    faultPoint("rollBack.decided");
    await registry.rewrite(
      entry,
      await completeRollBack(layout, entry.record, checkpoint.id),
    );
    faultPoint("rollBack.recorded");
    await syncFolder(files.folder);
    return live !== undefined || checkpoint.memory;
  });
}

/** Does what a record's `rollingBack` asks for, as often as needed, and answers with the change of the record. */
export async function completeRollBack(
  layout: Layout,
  record: MachineRecord,
  id: string,
): Promise<Partial<MachineRecord>> {
  const { layer, memory, createdAt, shape, leases } = findCheckpoint(
    record,
    id,
  );
  const files = layout.machine(record.id);
  await rm(files.nextDisk, { force: true });
  try {
    await rename(partOf(files.disk), files.disk);
  } catch (error) {
    if (!isMissing(error)) throw error;
    await makeOverlay(layout, record, layer);
    await rename(partOf(files.disk), files.disk);
  }
  faultPoint("rollBack.disk");
  // Not renamed over: a rename between two names of one file does nothing (POSIX) and would leave both.
  await rm(files.state, { force: true });
  if (memory) await link(files.checkpoint(id).state, files.state);
  faultPoint("rollBack.state");
  return {
    ...shape,
    rollingBack: undefined,
    resumeFrom: memory
      ? stateKept({
          way: "restored",
          sizeBytes: await allocatedBytes(files.state),
          leases,
          at: createdAt,
          diskFrozen: true,
        })
      : undefined,
  };
}

async function makeOverlay(
  layout: Layout,
  record: MachineRecord,
  layer: string,
  signal?: AbortSignal,
): Promise<void> {
  const path = partOf(layout.machine(record.id).disk);
  const backingPath = layout.layer(layer);
  const { virtualSizeBytes } = await readQcow2Header(backingPath);
  await rm(path, { force: true });
  await createOverlay(
    { path, backingPath, sizeBytes: virtualSizeBytes, backingInUse: true },
    signal,
  );
  await syncFile(path);
}

const endMs = 10_000;

/** Ends a QEMU whose guest's present is not wanted any more, or is kept. */
export async function endLiving(
  entry: Entry,
  live: Live,
  deps: Pick<SnapshotDeps, "layout" | "registry" | "log">,
  reason: "requested" | "suspended",
): Promise<void> {
  live.stopReason = reason;
  live.watch.abort();
  await endProcess(live.handles, "SIGKILL");
  if (!(await waitForExit(live.handles, endMs)))
    throw failed(
      "machines.stopFailed",
      `QEMU of “${entry.record.name}” (process ${String(live.handles.pid)}) did not end, not even when killed.`,
      {
        remedy:
          "The system holds it, often because of a disk that does not answer; restart the host if it stays.",
      },
    );
  await finish(entry, live, deps, reason);
}
