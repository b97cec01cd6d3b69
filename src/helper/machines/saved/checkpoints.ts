import { randomBytes } from "node:crypto";
import { link, rm } from "node:fs/promises";
import { faultPoint } from "../../../base/faultPoint.ts";
import { allocatedBytes, makePrivateFolder } from "../../../base/files.ts";
import { refused } from "../../../protocol/failure.ts";
import {
  type Captured,
  captureFaults,
  captureMachine,
  strategyFor,
} from "../../snapshots/capture.ts";
import { freezeAtRest } from "../../snapshots/freeze.ts";
import { ownBytes, removeUnusedLayers } from "../../snapshots/layers.ts";
import type { CheckpointRecord, MachineRecord } from "../../store/records.ts";
import type { Entry } from "../roster/entry.ts";
import { type Fork, type SavedState, stateKept } from "./fork.ts";
import { whileHeld } from "../running/hold.ts";
import { demand } from "../roster/lifecycle.ts";
import { makeOffspring, type SnapshotDeps } from "./offspring.ts";
import { savedWithOf } from "../boot/savedWith.ts";

/** Steps of making a checkpoint that a test may end the helper at. */
export const checkpointFaults = [
  ...captureFaults,
  "checkpoint.captured",
  "checkpoint.recorded",
] as const;

export interface CheckpointWish {
  readonly note?: string | undefined;
  /** Default: true while there is a memory to keep. */
  readonly memory?: boolean | undefined;
  /** Made before a risky operation, and not by the user. */
  readonly automatic?: boolean | undefined;
}

export interface Checkpointed {
  readonly id: string;
  readonly pausedMs: number;
}

/** Keeps what a machine is now, under its lock. Throws as `captureMachine` does. */
export function createCheckpoint(
  entry: Entry,
  wish: CheckpointWish,
  deps: SnapshotDeps,
  signal: AbortSignal,
): Promise<Checkpointed> {
  return deps.registry.locks.run(entry.record.id, () =>
    keepPresent(entry, wish, deps, signal),
  );
}

/** As `createCheckpoint`, for a caller who holds the machine's lock. */
export async function keepPresent(
  entry: Entry,
  { note = "", memory, automatic = false }: CheckpointWish,
  deps: SnapshotDeps,
  signal: AbortSignal,
): Promise<Checkpointed> {
  demand("checkpoint", entry);
  const { layout, registry } = deps;
  const { record } = entry;
  const hasMemory =
    entry.live !== undefined || record.resumeFrom?.kind === "state";
  if (memory === true && !hasMemory)
    throw refused(
      "machines.wrongState",
      `“${record.name}” is stopped and has no memory to keep.`,
      { remedy: "Start it first, or keep its disk alone." },
    );
  const withMemory = memory ?? hasMemory;
  const id = randomBytes(4).toString("hex");
  const own = layout.machine(record.id).checkpoint(id);
  try {
    await makePrivateFolder(own.folder);
    const { layer, pausedMs, savedWith } = await keep(
      entry,
      withMemory ? own.state : undefined,
      deps,
      signal,
    );
    faultPoint("checkpoint.captured");
    const { cpus, memoryMiB, diskGiB, screen } = record;
    const checkpoint: CheckpointRecord = {
      id,
      note,
      createdAt: new Date().toISOString(),
      memory: withMemory,
      automatic,
      sizeBytes:
        (await allocatedBytes(own.state)) +
        (await allocatedBytes(layout.layer(layer))),
      layer,
      leases: leasesOf(entry),
      ...(withMemory ? { savedWith } : {}),
      shape: { cpus, memoryMiB, diskGiB, screen },
    };
    await registry.rewrite(entry, {
      checkpoints: [...entry.record.checkpoints, checkpoint],
    });
    faultPoint("checkpoint.recorded");
    return { id, pausedMs };
  } catch (error) {
    await rm(own.folder, { recursive: true, force: true });
    throw error;
  }
}

const leasesOf = ({ live, record }: Entry): number =>
  live?.handles.leases ??
  (record.resumeFrom?.kind === "state" ? record.resumeFrom.leases : 1);

async function keep(
  entry: Entry,
  statePath: string | undefined,
  { layout, registry }: SnapshotDeps,
  signal: AbortSignal,
): Promise<
  Pick<Captured, "layer" | "pausedMs"> & Pick<SavedState, "savedWith">
> {
  const files = layout.machine(entry.record.id);
  const { live } = entry;
  if (live !== undefined) {
    const strategy = strategyFor(live.handles.accelerator);
    return whileHeld(entry, { live }, registry, async (qmp) => ({
      savedWith: await savedWithOf(qmp, live.handles),
      ...(await captureMachine(
        { qmp, layout, files, statePath, strategy },
        signal,
      )),
    }));
  }
  const layer = await freezeAtRest(layout, files, signal);
  if (statePath !== undefined) await link(files.state, statePath);
  const { resumeFrom } = entry.record;
  const savedWith =
    resumeFrom?.kind === "state" ? resumeFrom.savedWith : undefined;
  return { layer, pausedMs: 0, savedWith };
}

/** By id, or by a note that only one has; refuses with `checkpoints.unknown`. Pure. */
export function findCheckpoint(
  { name, checkpoints }: Pick<MachineRecord, "name" | "checkpoints">,
  which: string,
): CheckpointRecord {
  const byId = checkpoints.find(({ id }) => id === which);
  if (byId !== undefined) return byId;
  const noted = checkpoints.filter(({ note }) => note === which);
  const [only] = noted;
  if (only !== undefined && noted.length === 1) return only;
  throw refused(
    "checkpoints.unknown",
    noted.length > 1
      ? `${String(noted.length)} checkpoints of “${name}” have the note “${which}”.`
      : `“${name}” has no checkpoint “${which}”.`,
    {
      remedy:
        checkpoints.length === 0
          ? "Make one first."
          : `Name one by its id: ${checkpoints
              .slice(-8)
              .map(({ id, note }) => (note === "" ? id : `${id} (${note})`))
              .join(", ")}.`,
    },
  );
}

/** Makes a machine that begins where the checkpoint was taken. It is not started yet. */
export function branchMachine(
  parent: Entry,
  wish: {
    /** By id, or by a note that only one has. */
    readonly checkpoint: string;
    readonly name?: string | undefined;
  },
  deps: SnapshotDeps,
  signal: AbortSignal,
): Promise<Fork> {
  return deps.registry.locks.run(parent.record.id, async () => {
    const { layout } = deps;
    const { record } = parent;
    const checkpoint = findCheckpoint(record, wish.checkpoint);
    const { layer, shape, memory, createdAt, leases, savedWith } = checkpoint;
    const { state } = layout.machine(record.id).checkpoint(checkpoint.id);
    const { entry } = await makeOffspring(
      record,
      {
        ...{ name: wish.name, checkpoint: checkpoint.id, shape },
        fill: async (files) => {
          if (!memory) return { layer, resumeFrom: undefined };
          await link(state, files.state);
          const resumeFrom = stateKept({
            way: "fork",
            sizeBytes: await allocatedBytes(files.state),
            ...{ leases, savedWith },
            at: createdAt,
          });
          return { layer, resumeFrom };
        },
      },
      deps,
      signal,
    );
    return { entry, pausedMs: 0 };
  });
}

/** Forgets a checkpoint and answers with the bytes freed; what branches of it need stays. */
export function deleteCheckpoint(
  entry: Entry,
  which: string,
  { layout, registry, log }: SnapshotDeps,
): Promise<number> {
  return registry.locks.run(entry.record.id, async () => {
    const { id } = findCheckpoint(entry.record, which);
    const own = layout.machine(entry.record.id).checkpoint(id);
    await registry.rewrite(entry, {
      checkpoints: entry.record.checkpoints.filter((one) => one.id !== id),
    });
    const freedBytes = await ownBytes(own.state);
    await rm(own.folder, { recursive: true, force: true });
    try {
      return freedBytes + (await removeUnusedLayers(layout));
    } catch (error) {
      log.warn("layers are left alone", { error });
      return freedBytes;
    }
  });
}
