/*
 * Holds a guest still while its memory is saved. That it stands still is noted before and taken back afterwards, so that
 * a helper that finds the note lets the guest go on; meanwhile the machine's state shows what it was. Called by checkpoint,
 * fork and suspend, which hold the machine's lock.
 */
import { refused } from "../../../protocol/failure.ts";
import { isPlugged, unplugDisk } from "../../qemu/hotPlug.ts";
import type { Qmp } from "../../qemu/qmp.ts";
import {
  putBack,
  resetMigration,
  runState,
} from "../../snapshots/saveState.ts";
import type { MachineHandles } from "../../store/records.ts";
import { resumingRefusal } from "../roster/lifecycle.ts";
import type { Entry, Live } from "../roster/entry.ts";
import { monitorOf } from "./pause.ts";
import type { MachineRegistry } from "../roster/registry.ts";

export interface Held {
  readonly live: Live;
  /** QEMU ends once the record says so; else the guest goes on. */
  readonly suspend?: boolean;
}

/**
 * Runs `work` while a machine may stand still without having been paused. That it does is written down first, so that
 * the next helper knows what the guest is to do if this one ends in the midst (see `letGo`); and the machine's state
 * stays what it was for those who watch.
 * Throws `qemu.monitor` when QEMU does not answer, a refusal while the guest is still coming back, and what `work` throws.
 */
export async function whileHeld<T>(
  entry: Entry,
  { live, suspend = false }: Held,
  registry: MachineRegistry,
  work: (qmp: Qmp) => Promise<T>,
): Promise<T> {
  const { record } = entry;
  const qmp = monitorOf(record.name, live);
  const refusal = resumingRefusal(
    suspend ? "suspend" : "checkpoint",
    record.name,
    record.resumeFrom !== undefined,
  );
  if (refusal !== undefined) throw refusal;
  // One that a copy left in: a guest that is resumed from here on would miss it.
  if ((await isPlugged(qmp)) && !(await unplugDisk(qmp)))
    throw refused(
      "machines.busy",
      `The guest of “${record.name}” does not let go of a disk that files were copied from.`,
      { remedy: "Restart the machine, then try again." },
    );
  const before = entry.state;
  const ran = (await runState(qmp)) === "running";
  let noted = false;
  try {
    await registry.note(entry, live, { capturing: { ran, suspend } });
    noted = true;
    live.capturing = true;
    return await work(qmp);
  } finally {
    live.capturing = false;
    if (entry.live === live) {
      const flickered = ran ? "paused" : "running";
      const isNews = entry.state.kind === "paused" && entry.state.failure;
      if (
        entry.state.kind === flickered &&
        before.kind !== flickered &&
        isNews === undefined
      )
        registry.enter(entry, before);
      await noteReleased(entry, live, registry, noted);
    }
  }
}

/**
 * A note that a full disk keeps from being written goes altogether: the next helper finds a process without one too
 * (`adopt.ts`), but one that says too much would have it let a guest go on that somebody has paused since.
 */
async function noteReleased(
  entry: Entry,
  live: Live,
  registry: MachineRegistry,
  noted: boolean,
): Promise<void> {
  try {
    await registry.note(entry, live, { capturing: undefined });
  } catch {
    if (noted) await registry.dropNote(entry);
  }
}

/** Lets a guest go on that an earlier helper held when it ended. */
export async function letGo(
  capturing: NonNullable<MachineHandles["capturing"]>,
  qmp: Qmp,
): Promise<void> {
  await putBack(qmp, capturing.ran);
  await resetMigration(qmp, undefined);
}
