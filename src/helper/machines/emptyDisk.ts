import { rename, rm } from "node:fs/promises";
import { createOverlay } from "../qemu/block.ts";
import { readQcow2Header } from "../qemu/qcow2.ts";
import type { MachineFiles } from "../store/layout.ts";

/**
 * Puts an empty overlay in the place of the machine's disk: what it holds is what the layer below held, which is what
 * the machine's saved state fits to. Only for a machine whose state waits, and only while no QEMU has its disk open.
 */
export async function emptyDisk(
  files: MachineFiles,
  signal?: AbortSignal,
): Promise<void> {
  const { backingPath, virtualSizeBytes } = await readQcow2Header(files.disk);
  if (backingPath === undefined) return;
  await rm(files.nextDisk, { force: true });
  await createOverlay(
    {
      path: files.nextDisk,
      backingPath,
      sizeBytes: virtualSizeBytes,
    },
    signal,
  );
  await rename(files.nextDisk, files.disk);
}
