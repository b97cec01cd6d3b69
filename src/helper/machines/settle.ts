import { rm } from "node:fs/promises";
import { join } from "node:path";
import { namesIn } from "../../base/files.ts";
import type { Qmp } from "../qemu/qmp.ts";
import { settleDisk } from "../snapshots/freeze.ts";
import { partOf } from "../snapshots/layers.ts";
import type { Layout } from "../store/layout.ts";
import { type MachineRecord, writeRecord } from "../store/records.ts";
import { completeRollBack } from "./rollBack.ts";

/**
 * Brings a machine's folder and its record to agree after a crash: completes a roll back that was decided, ends a
 * freeze, removes what a broken-off capture left. Answers with the record, which may have changed. Give the monitor of
 * a living QEMU. Idempotent, and cheap where there is nothing to do.
 */
export async function settleMachine(
  layout: Layout,
  record: MachineRecord,
  qmp: Qmp | undefined,
): Promise<MachineRecord> {
  const files = layout.machine(record.id);
  let settled = record;
  if (record.rollingBack !== undefined) {
    const change = await completeRollBack(layout, record, record.rollingBack);
    settled = { ...record, ...change };
    await writeRecord(files, settled);
  } else await settleDisk(layout, files, qmp);
  for (const path of [partOf(files.disk), partOf(files.state)])
    await rm(path, { force: true });
  if (settled.resumeFrom?.kind !== "state")
    await rm(files.state, { force: true });
  const known = new Set(settled.checkpoints.map(({ id }) => id));
  const checkpoints = join(files.folder, "checkpoints");
  for (const id of await namesIn(checkpoints))
    if (!known.has(id))
      await rm(join(checkpoints, id), { recursive: true, force: true });
  return settled;
}
