import { rm } from "node:fs/promises";
import { join } from "node:path";
import { namesIn } from "../../../base/files.ts";
import type { Qmp } from "../../qemu/qmp.ts";
import { recoverDisk } from "../../snapshots/freeze.ts";
import { partOf } from "../../snapshots/layers.ts";
import type { Layout } from "../../store/layout.ts";
import type { MachineRecord } from "../../store/records.ts";
import { completeRollBack } from "./rollBack.ts";

export interface RecoverDeps {
  readonly layout: Layout;
  /** Writes the record that a completed change has led to. */
  readonly commit: (record: MachineRecord) => Promise<void>;
}

/**
 * Brings a machine's folder and its record to agree after a crash: completes a roll back that was decided, ends a
 * freeze, removes what a broken-off capture left. Answers with the record, which may have changed. Give the monitor of
 * a living QEMU. Idempotent, and cheap where there is nothing to do.
 */
export async function recoverMachine(
  record: MachineRecord,
  qmp: Qmp | undefined,
  { layout, commit }: RecoverDeps,
): Promise<MachineRecord> {
  const files = layout.machine(record.id);
  let recovered = record;
  if (record.rollingBack !== undefined) {
    const change = await completeRollBack(layout, record, record.rollingBack);
    recovered = { ...record, ...change };
    await commit(recovered);
  } else await recoverDisk(layout, files, qmp);
  for (const path of [partOf(files.disk), partOf(files.state)])
    await rm(path, { force: true });
  if (recovered.resumeFrom?.kind !== "state")
    await rm(files.state, { force: true });
  const known = new Set(recovered.checkpoints.map(({ id }) => id));
  const checkpoints = join(files.folder, "checkpoints");
  for (const id of await namesIn(checkpoints))
    if (!known.has(id))
      await rm(join(checkpoints, id), { recursive: true, force: true });
  return recovered;
}
