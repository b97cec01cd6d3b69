import { rm, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { failed, refused } from "../../../protocol/failure.ts";
import type { GuestSystem } from "../../../protocol/images.ts";
import { checkImage, convertImage, imageInfo } from "../../qemu/block.ts";
import { parseChecksum, verifyFile } from "../../net/checksums.ts";
import { type DiskFormat, probeDiskFormat } from "./diskFormat.ts";
import { systems } from "../../guests/programs/systems.ts";
import { requireSpace } from "../../store/diskSpace.ts";
import { type DiskFindings, inspectDisk } from "./inspectDisk.ts";
import type { StageProgress } from "../jobs/progress.ts";

export interface DiskImport {
  /** The image's name, for messages. */
  readonly name: string;
  readonly source: string;
  /** Becomes a standalone qcow2. */
  readonly target: string;
  /** `sha256:…` or `sha512:…` of the source. */
  readonly checksum?: string | undefined;
  /** Default: Linux. Into a disk of Windows nothing here can look. */
  readonly os?: GuestSystem | undefined;
}

const maxVirtualSizeBytes = 8 * 2 ** 40;

/**
 * Turns a disk image from elsewhere into a qcow2 of ours that stands alone, and looks into it on the way.
 * Throws `images.digestMismatch`, `images.invalid` (what must not be imported or can't become an image), `images.broken` (damaged or cut short)
 * and `host.diskFull`.
 */
export async function importDisk(
  { name, source, target, checksum, os = "linux" }: DiskImport,
  onProgress: (progress: StageProgress) => void,
  signal: AbortSignal,
): Promise<DiskFindings & { readonly format: DiskFormat }> {
  const format = await probeDiskFormat(source);
  if (checksum !== undefined) {
    const expected = parseChecksum(checksum);
    const totalBytes = (await stat(source)).size;
    await verifyFile(
      { path: source, expected, what: basename(source) },
      (bytes) => onProgress({ stage: "verify", bytes, totalBytes }),
      signal,
    );
  }
  onProgress({ stage: "convert", detail: format });
  const info = await (format === "raw"
    ? rawInfo(source)
    : checkedInfo(source, format, signal));
  if (info.virtualSizeBytes > maxVirtualSizeBytes)
    throw refused(
      "images.invalid",
      `${basename(source)} claims to be a disk of more than 8 TiB.`,
      { remedy: "Shrink the disk where it comes from." },
    );
  await requireSpace(
    dirname(target),
    Math.min(info.actualSizeBytes, info.virtualSizeBytes),
    `Importing ${basename(source)}`,
  );
  const raw = format === "raw" ? source : `${target}.raw`;
  try {
    if (raw !== source)
      await convertImage(
        source,
        raw,
        {
          format: "raw",
          sourceFormat: format,
          onProgress: (fraction) =>
            onProgress({
              stage: "convert",
              detail: format,
              fraction: fraction / 2,
            }),
        },
        signal,
      );
    const findings: DiskFindings = systems[os].can.prepare
      ? await inspectDisk(name, raw, signal)
      : { firmware: "uefi" };
    await convertImage(
      raw,
      target,
      {
        format: "qcow2",
        sourceFormat: "raw",
        onProgress: (fraction) =>
          onProgress({
            stage: "convert",
            detail: format,
            fraction: raw === source ? fraction : 0.5 + fraction / 2,
          }),
      },
      signal,
    );
    return { format, ...findings };
  } finally {
    if (raw !== source) await rm(raw, { force: true });
  }
}

interface DiskSizes {
  readonly virtualSizeBytes: number;
  readonly actualSizeBytes: number;
}

/** A raw file is what it is; asked for its format, qemu-img might be talked into seeing another one. */
async function rawInfo(source: string): Promise<DiskSizes> {
  const { size, blocks } = await stat(source);
  return { virtualSizeBytes: size, actualSizeBytes: blocks * 512 };
}

async function checkedInfo(
  source: string,
  format: DiskFormat,
  signal: AbortSignal,
): Promise<DiskSizes> {
  await checkDisk(source, signal);
  const info = await imageInfo(source, signal);
  // The marks were read before any tool; what qemu-img found must be the same.
  if (info.backing !== undefined || info.format !== format)
    throw refused(
      "images.invalid",
      `${basename(source)} is not the ${format} image that it claims to be.`,
      { remedy: "Convert it to qcow2 where it comes from." },
    );
  return info;
}

/** A cut-off file is found here: its tables point behind its end. */
async function checkDisk(source: string, signal: AbortSignal): Promise<void> {
  try {
    await checkImage(source, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw failed(
      "images.broken",
      `${basename(source)} is damaged or was cut short.`,
      {
        remedy:
          "Get the file again and compare its checksum (guesthouse image import --checksum).",
        cause: error,
      },
    );
  }
}
