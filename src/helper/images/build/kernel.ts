/**
 * Reads Debian's kernel files. Layouts: Linux `Documentation/arch/x86/boot.rst` (bzImage), elf(5), and Xen's
 * `public/elfnote.h`, whose PHYS32_ENTRY note makes an ELF kernel startable by QEMU without firmware ("PVH").
 */

/**
 * The compressed kernel inside a bzImage, or undefined when the file is none (arm64 ships a plain image). Whatever it is
 * compressed by has the unpacked size behind it; gzip's own trailer is that already.
 */
export function bzImagePayload(file: Buffer): Buffer | undefined {
  if (file.length < 0x250 || file.toString("latin1", 0x202, 0x206) !== "HdrS")
    return undefined;
  // Payload fields exist since boot protocol 2.08.
  if (file.readUInt16LE(0x206) < 0x0208) return undefined;
  const setupSectors = file.readUInt8(0x1f1) || 4;
  const start = (setupSectors + 1) * 512 + file.readUInt32LE(0x248);
  const end = start + file.readUInt32LE(0x24c);
  if (end > file.length || end <= start) return undefined;
  const payload = file.subarray(start, end);
  const bare = ["xz", "zstd"].includes(compressionOf(payload));
  return bare ? payload.subarray(0, -4) : payload;
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly fileSize: number;
}

const elfHeaderSize = 64;
const programHeaderSize = 56;
const segmentTypes = { load: 1, note: 4 } as const;
const physicalEntryNote = 18;

/**
 * A kernel that QEMU can start directly: the ELF file cut after its last segment (sections and symbols are a third of
 * it and nobody reads them), or undefined when it isn't a 64-bit little-endian ELF with a PVH entry.
 */
export function directBootKernel(file: Buffer): Buffer | undefined {
  if (file.length < elfHeaderSize || file.readUInt32BE(0) !== 0x7f454c46)
    return undefined;
  if (file.readUInt8(4) !== 2 || file.readUInt8(5) !== 1) return undefined;
  const segments = programHeaders(file);
  const hasEntry = segments
    .filter(({ type }) => type === segmentTypes.note)
    .some(({ offset, fileSize }) =>
      hasPhysicalEntry(file.subarray(offset, offset + fileSize)),
    );
  if (!hasEntry) return undefined;
  const end = Math.max(
    ...segments.map(({ offset, fileSize }) => offset + fileSize),
  );
  const kernel = Buffer.from(file.subarray(0, end));
  kernel.writeBigUInt64LE(0n, 0x28); // e_shoff
  kernel.writeUInt16LE(0, 0x3c); // e_shnum
  kernel.writeUInt16LE(0, 0x3e); // e_shstrndx
  return kernel;
}

function programHeaders(file: Buffer): Segment[] {
  const table = Number(file.readBigUInt64LE(0x20));
  const count = file.readUInt16LE(0x38);
  if (table + count * programHeaderSize > file.length) return [];
  return Array.from({ length: count }, (_, index) => {
    const at = table + index * programHeaderSize;
    return {
      type: file.readUInt32LE(at),
      offset: Number(file.readBigUInt64LE(at + 8)),
      fileSize: Number(file.readBigUInt64LE(at + 32)),
    };
  });
}

function hasPhysicalEntry(notes: Buffer): boolean {
  const aligned = (size: number): number => (size + 3) & ~3;
  let at = 0;
  while (at + 12 <= notes.length) {
    const nameSize = notes.readUInt32LE(at);
    const dataSize = notes.readUInt32LE(at + 4);
    const name = notes.toString("latin1", at + 12, at + 12 + nameSize);
    if (name === "Xen\0" && notes.readUInt32LE(at + 8) === physicalEntryNote)
      return true;
    at += 12 + aligned(nameSize) + aligned(dataSize);
  }
  return false;
}

export type Compression = "gzip" | "xz" | "zstd" | "none";

/** How a file is compressed, by its first bytes. */
export function compressionOf(file: Buffer): Compression {
  const magic = file.toString("hex", 0, 6);
  if (magic.startsWith("1f8b")) return "gzip";
  if (magic === "fd377a585a00") return "xz";
  if (magic.startsWith("28b52ffd")) return "zstd";
  return "none";
}
