import { rename, rm } from "node:fs/promises";
import { createOverlay } from "../../qemu/block.ts";
import { readQcow2Header } from "../../qemu/qcow2.ts";
import { partOf } from "../../snapshots/layers.ts";
import type { MachineFiles } from "../../store/layout.ts";
import { type MachineRecord, readHandles } from "../../store/records.ts";

/**
 * Is what a machine's disk holds above its layer nothing that anybody was told of? The state that it comes from is
 * given up when its guest has said that it is itself; whatever a guest wrote before may be thrown away, and must be
 * before its state is loaded once more. Pure.
 */
export function isFresh({ resumeFrom }: MachineRecord): boolean {
  switch (resumeFrom?.kind) {
    case undefined:
      return false;
    case "template":
      return true;
    case "state":
      return resumeFrom.way === "fork" || resumeFrom.diskFrozen;
  }
}

/** Puts an empty overlay in the place of a fresh disk (`isFresh`) that no QEMU has open. */
export async function emptyDisk(
  files: MachineFiles,
  signal?: AbortSignal,
): Promise<void> {
  const { backingPath, virtualSizeBytes } = await readQcow2Header(files.disk);
  if (backingPath === undefined) return;
  const part = partOf(files.nextDisk);
  for (const path of [files.nextDisk, part]) await rm(path, { force: true });
  await createOverlay(
    {
      // Not `nextDisk`: what is found there after a crash becomes the disk, whole or not.
      path: part,
      backingPath,
      backingInUse: true,
      sizeBytes: virtualSizeBytes,
    },
    signal,
  );
  await rename(part, files.disk);
}

/** Before a start: what a full disk kept from being emptied when its guest ended, as the handles that are left tell. */
export async function emptyLeftDisk(
  files: MachineFiles,
  record: MachineRecord,
): Promise<void> {
  if (!isFresh(record)) return;
  if ((await readHandles(files)).kind !== "missing") await emptyDisk(files);
}
