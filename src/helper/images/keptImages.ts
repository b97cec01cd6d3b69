import type { Image, ImageReport } from "../../protocol/images.ts";
import { writeArchive } from "./archive/archive.ts";
import { auditImage } from "./golden/audit.ts";
import { type DiskToKeep, keepDisk } from "./golden/keepDisk.ts";
import type { ProgressListener } from "./jobs/jobs.ts";
import { type ImagesRoom, requireStored, runAndTell } from "./room.ts";

/** Makes an image of a machine's disk at rest; one of the same name is replaced. */
export async function keepAsImage(
  room: ImagesRoom,
  disk: DiskToKeep,
  onProgress: ProgressListener,
  signal: AbortSignal,
): Promise<Image> {
  const { ledger, maker } = room;
  const { name } = disk;
  const base = maker.store.images().get(disk.base);
  if (base === undefined) throw ledger.missing(disk.base);
  await runAndTell(
    room,
    { name, kind: "keep", onProgress },
    async (progress, within) => {
      await keepDisk(maker, { disk, base: base.record }, progress, within);
      await ledger.dropSuperseded(name);
    },
    signal,
  );
  return ledger.recordOf(name);
}

/** Writes a ready image as one file; answers with its bytes. */
export async function exportImage(
  room: ImagesRoom,
  name: string,
  path: string,
  signal?: AbortSignal,
): Promise<number> {
  const { layout, ledger } = room;
  const stored = requireStored(ledger, name);
  const { digest } = stored.record;
  const files = layout.image(digest);
  const release = ledger.hold(digest);
  try {
    return await runAndTell(
      room,
      { name, kind: "export" },
      (...within) => writeArchive({ stored, files }, path, ...within),
      signal,
    );
  } finally {
    void release();
  }
}

/** Checks the disk's integrity and digest and judges the recorded facts again. */
export async function validateImage(
  room: ImagesRoom,
  name: string,
  signal?: AbortSignal,
): Promise<{ image: Image; report: ImageReport }> {
  const { layout, ledger, maker } = room;
  const stored = requireStored(ledger, name);
  const { digest } = stored.record;
  const report = await runAndTell(
    room,
    { name, kind: "validate" },
    async (...within) => {
      const result = await auditImage(stored, layout.image(digest), ...within);
      await maker.store.setReport(digest, result);
      return result;
    },
    signal,
  );
  return { image: ledger.recordOf(name), report };
}
