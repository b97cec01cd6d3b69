import { open } from "node:fs/promises";
import type { Qmp } from "../qemu/qmp.ts";

const chunkBytes = 4 * 1024 * 1024;

/**
 * Brings the file that a guest's memory maps, as that of a warm clone does, into the host's page cache while the guest
 * runs. A capture looks at every page of the memory while the guest stands still, and such a file is mostly holes: a hole
 * that is faulted in page by page is over ten times slower than one that was read.
 * Nothing depends on it, so whatever goes wrong is no failure.
 */
export async function readMemoryFile(
  qmp: Pick<Qmp, "execute">,
  signal: AbortSignal,
): Promise<void> {
  // Memory that is no file has no such property.
  const path = await qmp
    .execute("qom-get", { path: "/objects/memory", property: "mem-path" })
    .catch(() => undefined);
  if (typeof path === "string")
    await readThrough(path, signal).catch(() => undefined);
}

/** Reads a file to its end, for the page cache's sake. Throws what `read` does; an abort ends it early. */
async function readThrough(path: string, signal: AbortSignal): Promise<void> {
  const file = await open(path, "r");
  try {
    const chunk = new Uint8Array(chunkBytes);
    while (!signal.aborted) {
      const { bytesRead } = await file.read(chunk, 0, chunkBytes);
      if (bytesRead === 0) return;
    }
  } finally {
    await file.close();
  }
}
