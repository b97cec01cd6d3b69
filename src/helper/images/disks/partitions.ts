import type { FileHandle } from "node:fs/promises";

/** A stretch of a raw disk that may hold a file system. */
export interface Partition {
  readonly startBytes: number;
  readonly sizeBytes: number;
}

const sectorBytes = 512;

/**
 * Finds the partitions of a raw disk: GPT (UEFI specification, 5.3), the four of an MBR, or the whole disk where it
 * starts with a file system. Logical partitions are not looked for. Empty for a disk without any mark.
 */
export async function readPartitions(
  disk: FileHandle,
  sizeBytes: number,
): Promise<Partition[]> {
  const head = await readAt(disk, 0, 2 * sectorBytes);
  if (head.toString("latin1", 512, 520) === "EFI PART") {
    const start = Number(head.readBigUInt64LE(512 + 72)) * sectorBytes;
    const count = Math.min(head.readUInt32LE(512 + 80), 256);
    const entrySize = head.readUInt32LE(512 + 84);
    if (entrySize < 128 || entrySize > 4096) return [];
    return gptPartitions(
      await readAt(disk, start, count * entrySize),
      entrySize,
      sizeBytes,
    );
  }
  const partitions =
    head.readUInt16LE(510) === 0xaa55 ? mbrPartitions(head, sizeBytes) : [];
  return partitions.length > 0 ? partitions : [{ startBytes: 0, sizeBytes }];
}

/** Pure. */
export function gptPartitions(
  table: Buffer,
  entrySize: number,
  diskBytes: number,
): Partition[] {
  const partitions: Partition[] = [];
  for (let at = 0; at + entrySize <= table.length; at += entrySize) {
    // An entry without a type is unused.
    if (table.subarray(at, at + 16).every((byte) => byte === 0)) continue;
    const first = Number(table.readBigUInt64LE(at + 32));
    const last = Number(table.readBigUInt64LE(at + 40));
    partitions.push({
      startBytes: first * sectorBytes,
      sizeBytes: (last - first + 1) * sectorBytes,
    });
  }
  return within(partitions, diskBytes);
}

/** Pure. */
export function mbrPartitions(sector: Buffer, diskBytes: number): Partition[] {
  const partitions = [446, 462, 478, 494]
    .filter((at) => sector.readUInt8(at + 4) !== 0)
    .map((at) => ({
      startBytes: sector.readUInt32LE(at + 8) * sectorBytes,
      sizeBytes: sector.readUInt32LE(at + 12) * sectorBytes,
    }));
  return within(partitions, diskBytes);
}

const within = (partitions: Partition[], diskBytes: number): Partition[] =>
  partitions.filter(
    ({ startBytes, sizeBytes }) =>
      startBytes > 0 && sizeBytes > 0 && startBytes < diskBytes,
  );

/** Without a boot sector's code there is nothing for a BIOS to start, so the disk is meant for UEFI. */
export async function bootsByUefi(disk: FileHandle): Promise<boolean> {
  const head = await readAt(disk, 0, 2 * sectorBytes);
  return (
    head.toString("latin1", 512, 520) === "EFI PART" &&
    head.subarray(0, 440).every((byte) => byte === 0)
  );
}

export type FileSystem = "ext" | "xfs" | "btrfs" | "fat" | "lvm" | "unknown";

/** What a partition holds, by its superblock's magic. */
export async function fileSystemOf(
  disk: FileHandle,
  { startBytes }: Partition,
): Promise<FileSystem> {
  const head = await readAt(disk, startBytes, 0x10048);
  if (head.readUInt16LE(0x438) === 0xef53) return "ext";
  if (head.toString("latin1", 0, 4) === "XFSB") return "xfs";
  if (head.toString("latin1", 0x10040, 0x10048) === "_BHRfS_M") return "btrfs";
  if (/^FAT(12|16|32) /.test(head.toString("latin1", 0x36, 0x3c))) return "fat";
  if (/^FAT32 /.test(head.toString("latin1", 0x52, 0x58))) return "fat";
  if (head.toString("latin1", 0x200, 0x208) === "LABELONE") return "lvm";
  return "unknown";
}

/** Zeros behind the disk's end. */
async function readAt(
  disk: FileHandle,
  position: number,
  length: number,
): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  await disk.read(buffer, 0, length, position);
  return buffer;
}
