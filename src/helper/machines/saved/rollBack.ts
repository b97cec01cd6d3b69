/*
 * Puts a machine back to a checkpoint. The record decides: from the moment that it says so the roll back is completed, by
 * this helper or by the next one (`recover.ts`); before it, nothing has happened.
 */
import { link, rename, rm } from "node:fs/promises";
import { faultPoint } from "../../../base/faultPoint.ts";
import {
  allocatedBytes,
  isMissing,
  syncFile,
  syncFolder,
} from "../../../base/files.ts";
import { createOverlay } from "../../qemu/block.ts";
import { endProcess, waitForExit } from "../../qemu/process.ts";
import { readQcow2Header } from "../../qemu/qcow2.ts";
import { partOf } from "../../snapshots/layers.ts";
import type { Layout } from "../../store/layout.ts";
import type { CheckpointRecord, MachineRecord } from "../../store/records.ts";
import { findCheckpoint, keepPresent } from "./checkpoints.ts";
import type { Entry, Live } from "../roster/entry.ts";
import { stateKept } from "./fork.ts";
import { demand } from "../roster/lifecycle.ts";
import type { SnapshotDeps } from "./offspring.ts";
import { unfitRefusal } from "../boot/savedWith.ts";
import { undying } from "../running/stop.ts";
import { book, finish } from "../running/supervise.ts";

/** Steps of a roll back that a test may end the helper at. */
export const rollBackFaults = [
  "rollBack.overlay",
  "rollBack.decided",
  "rollBack.ended",
  "rollBack.disk",
  "rollBack.state",
  "rollBack.recorded",
] as const;

export interface RollBackWish {
  /** By id, or by a note that only one has. */
  readonly checkpoint: string;
  readonly keepPresent?: boolean | undefined;
  /** Leave the checkpoint's memory: the machine boots from its disk. */
  readonly diskOnly?: boolean | undefined;
}

/**
 * Puts a machine back to a checkpoint. Disk, memory and record must change together, so the record says first what is
 * to be done: from then on the roll back is completed, by this helper or by the next one (`completeRollBack`); before
 * it, the machine is what it was and a living one goes on.
 * Answers whether the machine is to run now: it ran, or the checkpoint has its memory.
 */
export function rollBack(
  entry: Entry,
  { checkpoint: which, keepPresent: keep, diskOnly = false }: RollBackWish,
  deps: SnapshotDeps,
  signal: AbortSignal,
): Promise<boolean> {
  const { layout, registry } = deps;
  return registry.locks.run(entry.record.id, async () => {
    demand("rollBack", entry);
    const checkpoint = findCheckpoint(entry.record, which);
    const memory = checkpoint.memory && !diskOnly;
    if (memory) await demandFit(entry, checkpoint, deps, signal);
    if (keep === true)
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
      await decide(entry, { id: checkpoint.id, diskOnly, live }, deps);
    } catch (error) {
      await rm(partOf(files.disk), { force: true });
      throw error;
    }
    faultPoint("rollBack.ended");
    await registry.rewrite(
      entry,
      await completeRollBack(layout, entry.record, checkpoint.id),
    );
    faultPoint("rollBack.recorded");
    await syncFolder(files.folder);
    return live !== undefined || memory;
  });
}

/** Writes the decision down, then ends the guest; one that can't be ended goes on as if nothing had been decided. */
async function decide(
  entry: Entry,
  {
    id,
    diskOnly,
    live,
  }: {
    readonly id: string;
    readonly diskOnly: boolean;
    /** What ran when the roll back began. */
    readonly live: Live | undefined;
  },
  deps: SnapshotDeps,
): Promise<void> {
  const { resumeFrom } = entry.record;
  await deps.registry.rewrite(entry, {
    rollingBack: id,
    rollingBackDiskOnly: diskOnly || undefined,
    resumeFrom: undefined,
  });
  faultPoint("rollBack.decided");
  try {
    if (live !== undefined) await endLiving(entry, live, deps, "requested");
  } catch (error) {
    await deps.registry.rewrite(entry, { ...undecided, resumeFrom });
    throw error;
  }
}

const undecided = { rollingBack: undefined, rollingBackDiskOnly: undefined };

/** Before anything is given up for a memory that this host can't take in. */
async function demandFit(
  { record }: Entry,
  { id, note, savedWith }: CheckpointRecord,
  { survey }: SnapshotDeps,
  signal: AbortSignal,
): Promise<void> {
  const error = unfitRefusal(
    `The memory of checkpoint ${note || id}`,
    savedWith,
    await survey(record.image.digest, signal),
    `Roll back the disk alone, from which “${record.name}” boots: guesthouse checkpoint roll-back --disk-only ${record.name} ${id}.`,
  );
  if (error !== undefined) throw error;
}

/** Does what a record's `rollingBack` asks for, as often as needed, and answers with the change of the record. */
export async function completeRollBack(
  layout: Layout,
  record: MachineRecord,
  id: string,
): Promise<Partial<MachineRecord>> {
  const checkpoint = findCheckpoint(record, id);
  const { layer, createdAt, shape, leases, savedWith } = checkpoint;
  const memory = checkpoint.memory && record.rollingBackDiskOnly !== true;
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
    ...undecided,
    resumeFrom: memory
      ? stateKept({
          way: "restored",
          sizeBytes: await allocatedBytes(files.state),
          ...{ leases, savedWith },
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
  if (!(await waitForExit(live.handles, endMs))) throw undying(entry, live);
  await finish(entry, live, deps, reason);
  // It may have ended by itself a moment before, which was booked as a crash.
  if (entry.record.lastStop.reason !== reason)
    await book(entry, { reason }, deps);
}
