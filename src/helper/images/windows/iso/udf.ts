import { type ByteReader, invalidIso } from "./byteReader.ts";

/** Where a part of a file lies on the medium, in bytes. Absent `offset`: a hole. */
interface Extent {
  readonly offset: number | undefined;
  readonly length: number;
}

export interface UdfEntry {
  readonly isFolder: boolean;
  readonly sizeBytes: number;
  readonly extents: readonly Extent[];
}

export interface UdfVolume {
  /** By a path with forward slashes from the root, upper and lower case alike. Undefined when it isn't there. */
  readonly find: (path: string) => Promise<UdfEntry | undefined>;
  /** Throws `images.invalid` past the file's end. */
  readonly read: (
    file: UdfEntry,
    offset: number,
    length: number,
  ) => Promise<Buffer>;
}

const sectorBytes = 2048;
/** The anchor's place (ECMA-167, 3/8.4.2.1). */
const anchorSector = 256;

/** Descriptors by their tag (ECMA-167, 3/7.2.1 and 4/7.2.1). */
const tags = {
  anchor: 2,
  partition: 5,
  logicalVolume: 6,
  terminating: 8,
  fileSet: 256,
  fileIdentifier: 257,
  fileEntry: 261,
  extendedFileEntry: 266,
} as const;

/** Far above what an ISO of Windows has; a damaged one says anything. */
const limits = { descriptors: 64, folderBytes: 4 * 2 ** 20, extents: 4096 };

/**
 * A volume of UDF 1.02 to 2.01 on a medium with sectors of 2048 bytes, as Microsoft's ISOs have it: one physical
 * partition, no metadata partition. Reads only what is asked for. Throws `images.invalid`.
 * Sources: ECMA-167, 3rd edition; OSTA Universal Disk Format 1.02.
 */
export async function openUdf(reader: ByteReader): Promise<UdfVolume> {
  const anchor = await descriptor(reader, anchorSector * sectorBytes);
  if (anchor?.tag !== tags.anchor)
    throw invalidIso(
      "it has no UDF file system, which every ISO of Windows has",
    );
  const { partitionStart, fileSetBlock } = await volumeDescriptors(
    reader,
    anchor.bytes,
  );
  const at = (block: number): number => (partitionStart + block) * sectorBytes;
  const fileSet = await descriptor(reader, at(fileSetBlock));
  if (fileSet?.tag !== tags.fileSet)
    throw invalidIso("its file set is missing");
  const entry = (block: number): Promise<UdfEntry> =>
    readEntry(reader, at, block);
  const root = await entry(fileSet.bytes.readUInt32LE(404));
  const read: UdfVolume["read"] = (file, offset, length) =>
    readExtents(reader, file, offset, length);

  return {
    read,
    find: async (path) => {
      let found = root;
      for (const name of path.split("/").filter((part) => part !== "")) {
        if (!found.isFolder) return undefined;
        if (found.sizeBytes > limits.folderBytes)
          throw invalidIso("one of its folders is too large");
        const listing = await read(found, 0, found.sizeBytes);
        const block = childBlock(listing, name);
        if (block === undefined) return undefined;
        found = await entry(block);
      }
      return found;
    },
  };
}

interface Descriptor {
  readonly tag: number;
  readonly bytes: Buffer;
}

/** One sector with a descriptor; undefined where there is none. The tag has a checksum of its own (3/7.2.3). */
async function descriptor(
  reader: ByteReader,
  offset: number,
): Promise<Descriptor | undefined> {
  if (offset + sectorBytes > reader.sizeBytes) return undefined;
  const bytes = await reader.read(offset, sectorBytes);
  return hasTag(bytes) ? { tag: bytes.readUInt16LE(0), bytes } : undefined;
}

function hasTag(bytes: Buffer): boolean {
  let sum = 0;
  for (let at = 0; at < 16; at++) if (at !== 4) sum += bytes.readUInt8(at);
  return bytes.readUInt16LE(0) !== 0 && sum % 256 === bytes.readUInt8(4);
}

async function volumeDescriptors(
  reader: ByteReader,
  anchor: Buffer,
): Promise<{ partitionStart: number; fileSetBlock: number }> {
  const first = anchor.readUInt32LE(20);
  const count = Math.min(
    anchor.readUInt32LE(16) / sectorBytes,
    limits.descriptors,
  );
  let partitionStart: number | undefined;
  let fileSetBlock: number | undefined;
  for (let index = 0; index < count; index++) {
    const found = await descriptor(reader, (first + index) * sectorBytes);
    if (found === undefined || found.tag === tags.terminating) break;
    if (found.tag === tags.partition)
      partitionStart = found.bytes.readUInt32LE(188);
    if (found.tag === tags.logicalVolume) {
      if (found.bytes.readUInt32LE(212) !== sectorBytes)
        throw invalidIso("its blocks are not of 2048 bytes");
      // Map type 1 is a plain partition; others came with later versions of UDF, for media that are written to.
      if (
        found.bytes.readUInt32LE(268) !== 1 ||
        found.bytes.readUInt8(440) !== 1
      )
        throw invalidIso("it has a kind of UDF that no ISO of Windows has");
      fileSetBlock = found.bytes.readUInt32LE(252);
    }
  }
  if (partitionStart === undefined || fileSetBlock === undefined)
    throw invalidIso("its UDF volume is not described");
  return { partitionStart, fileSetBlock };
}

const folderType = 4;

async function readEntry(
  reader: ByteReader,
  at: (block: number) => number,
  block: number,
): Promise<UdfEntry> {
  const found = await descriptor(reader, at(block));
  const fixed =
    found?.tag === tags.fileEntry
      ? 176
      : found?.tag === tags.extendedFileEntry
        ? 216
        : undefined;
  if (found === undefined || fixed === undefined)
    throw invalidIso("a file's entry is missing");
  const { bytes } = found;
  const start = fixed + bytes.readUInt32LE(fixed - 8);
  const length = bytes.readUInt32LE(fixed - 4);
  if (start + length > sectorBytes)
    throw invalidIso("a file's entry is larger than its block");
  const sizeBytes = Number(bytes.readBigUInt64LE(56));
  return {
    isFolder: bytes.readUInt8(27) === folderType,
    sizeBytes,
    extents: await extentsOf(reader, at, {
      descriptors: bytes.subarray(start, start + length),
      kind: bytes.readUInt16LE(34) % 8,
      inlineOffset: at(block) + start,
    }),
  };
}

/** Kinds of allocation descriptors (4/14.6.8): short, long, and the file itself in their place. */
const adKind = { short: 0, long: 1, inline: 3 } as const;

interface Allocation {
  readonly descriptors: Buffer;
  readonly kind: number;
  /** Where the file begins that stands in the descriptors' place. */
  readonly inlineOffset: number;
}

async function extentsOf(
  reader: ByteReader,
  at: (block: number) => number,
  { descriptors, kind, inlineOffset }: Allocation,
): Promise<Extent[]> {
  if (kind === adKind.inline)
    return [{ offset: inlineOffset, length: descriptors.length }];
  if (kind !== adKind.short && kind !== adKind.long)
    throw invalidIso("a file is laid out in an unknown way");
  const size = kind === adKind.short ? 8 : 16;
  const extents: Extent[] = [];
  let rest = descriptors;
  while (rest.length >= size) {
    const word = rest.readUInt32LE(0);
    const block = rest.readUInt32LE(4);
    rest = rest.subarray(size);
    const length = word % 2 ** 30;
    // The two highest bits: recorded, allocated only, neither, or more descriptors (4/14.14.1.1).
    const type = Math.floor(word / 2 ** 30);
    if (length === 0) break;
    if (extents.length >= limits.extents)
      throw invalidIso("a file is in too many pieces");
    if (type === 3) {
      const more = await reader.read(at(block), Math.min(length, sectorBytes));
      rest = more.subarray(24, 24 + more.readUInt32LE(20));
      // So that a chain of descriptors that bites its tail ends.
      extents.push({ offset: undefined, length: 0 });
    } else extents.push({ offset: type === 0 ? at(block) : undefined, length });
  }
  return extents;
}

async function readExtents(
  reader: ByteReader,
  file: UdfEntry,
  offset: number,
  length: number,
): Promise<Buffer> {
  if (offset < 0 || length < 0 || offset + length > file.sizeBytes)
    throw invalidIso("a file is shorter than it should be");
  const parts: Buffer[] = [];
  let start = 0;
  for (const extent of file.extents) {
    const from = Math.max(offset, start);
    const to = Math.min(offset + length, start + extent.length);
    if (from < to)
      parts.push(
        extent.offset === undefined
          ? Buffer.alloc(to - from)
          : await reader.read(extent.offset + from - start, to - from),
      );
    start += extent.length;
  }
  const whole = Buffer.concat(parts);
  if (whole.length !== length)
    throw invalidIso("a file has less on the medium than its size");
  return whole;
}

/** The block of a child's entry in a folder's listing: file identifiers, one after the other (4/14.4). */
function childBlock(listing: Buffer, name: string): number | undefined {
  let at = 0;
  while (at + 38 <= listing.length) {
    const rest = listing.subarray(at);
    if (!hasTag(rest) || rest.readUInt16LE(0) !== tags.fileIdentifier)
      throw invalidIso("a folder's listing is damaged");
    const characteristics = rest.readUInt8(18);
    const nameLength = rest.readUInt8(19);
    const start = 38 + rest.readUInt16LE(36);
    const isDeletedOrParent = (characteristics & 0b1100) !== 0;
    if (
      !isDeletedOrParent &&
      sameName(unicode(rest.subarray(start, start + nameLength)), name)
    )
      return rest.readUInt32LE(24);
    at += Math.ceil((start + nameLength) / 4) * 4;
  }
  return undefined;
}

const sameName = (a: string, b: string): boolean =>
  a.toLowerCase() === b.toLowerCase();

/** OSTA compressed Unicode: the first byte says how many bits a character has (UDF 1.02, 2.1.1). */
function unicode(bytes: Buffer): string {
  const body = bytes.subarray(1);
  return bytes[0] === 16 && body.length % 2 === 0
    ? Buffer.from(body).swap16().toString("utf16le")
    : body.toString("latin1");
}
