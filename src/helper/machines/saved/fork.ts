import { link } from "node:fs/promises";
import { captureMachine, strategyFor } from "../../snapshots/capture.ts";
import { freezeAtRest } from "../../snapshots/freeze.ts";
import type { MachineFiles } from "../../store/layout.ts";
import type { MachineRecord } from "../../store/records.ts";
import type { Entry, Live } from "../roster/entry.ts";
import { whileHeld } from "../running/hold.ts";
import { demand } from "../roster/lifecycle.ts";
import {
  type Inheritance,
  makeOffspring,
  type SnapshotDeps,
} from "./offspring.ts";
import { savedWithOf } from "../boot/savedWith.ts";

export interface Fork {
  /** Not started yet. */
  readonly entry: Entry;
  /** How long the parent stood still. */
  readonly pausedMs: number;
}

/**
 * Makes a machine that is as this one is at this moment: of a living one with its memory, which is kept while it runs
 * and stands still for the last bit; of a suspended one with the memory that is kept already; of a stopped one with
 * its disk, so that the child boots. The parent goes on as it was. Throws as `captureMachine` does.
 */
export function forkMachine(
  parent: Entry,
  wish: { readonly name?: string | undefined },
  deps: SnapshotDeps,
  signal: AbortSignal,
): Promise<Fork> {
  return deps.registry.locks.run(parent.record.id, async () => {
    demand("fork", parent);
    const { record, live } = parent;
    const { cpus, memoryMiB, diskGiB, screen } = record;
    const { entry, inherited } = await makeOffspring(
      record,
      {
        name: wish.name,
        shape: { cpus, memoryMiB, diskGiB, screen },
        fill: (files) =>
          live === undefined
            ? inheritAtRest(parent, files, deps, signal)
            : inheritLiving({ parent, live, child: files }, deps, signal),
      },
      deps,
      signal,
    );
    return { entry, pausedMs: inherited.pausedMs };
  });
}

export type SavedState = Extract<
  MachineRecord["resumeFrom"],
  { kind: "state" }
>;

type Inherited = Inheritance & { readonly pausedMs: number };

async function inheritLiving(
  {
    parent,
    live,
    child,
  }: {
    readonly parent: Entry;
    readonly live: Live;
    readonly child: MachineFiles;
  },
  { layout, registry }: SnapshotDeps,
  signal: AbortSignal,
): Promise<Inherited> {
  const files = layout.machine(parent.record.id);
  const { layer, stateBytes, pausedMs, savedWith } = await whileHeld(
    parent,
    { live },
    registry,
    async (qmp) => ({
      savedWith: await savedWithOf(qmp, live.handles),
      ...(await captureMachine(
        {
          qmp,
          layout,
          files,
          statePath: child.state,
          strategy: strategyFor(live.handles.accelerator),
        },
        signal,
      )),
    }),
  );
  return {
    layer,
    pausedMs,
    resumeFrom: stateKept({
      way: "fork",
      sizeBytes: stateBytes,
      leases: live.handles.leases,
      savedWith,
    }),
  };
}

async function inheritAtRest(
  { record }: Entry,
  child: MachineFiles,
  { layout }: SnapshotDeps,
  signal: AbortSignal,
): Promise<Inherited> {
  const files = layout.machine(record.id);
  const layer = await freezeAtRest(layout, files, signal);
  const { resumeFrom } = record;
  if (resumeFrom?.kind !== "state") return { layer, pausedMs: 0, resumeFrom };
  await link(files.state, child.state);
  return {
    layer,
    pausedMs: 0,
    resumeFrom: { ...resumeFrom, way: "fork", diskFrozen: true },
  };
}

/** Where a start goes on from: `state` in the machine's folder. */
export const stateKept = (
  kept: Pick<SavedState, "way" | "sizeBytes" | "leases"> & Partial<SavedState>,
): SavedState => ({
  kind: "state",
  at: new Date().toISOString(),
  diskFrozen: false,
  ...kept,
});
