/** A file of the volume's root folder. */
export interface IsoFile {
  /** E.g. `meta-data`; at most 30 characters of A–Z, a–z, 0–9, `-`, `_`, `.`. */
  readonly name: string;
  readonly content: string | Uint8Array;
}

const sectorBytes = 2048;
/** Sectors 0–15 belong to the system (ECMA-119, 6.2.1). */
const systemSectors = 16;

/**
 * A read-only ISO 9660 volume with Joliet names and files in its root folder, without any host tool.
 * Sources: ECMA-119 (volume descriptors 8.4, path tables 9.4, directory records 9.1); Joliet specification, Microsoft 1995.
 */
export function isoVolume(
  label: string,
  files: readonly IsoFile[],
  createdAt = new Date(),
): Buffer {
  const contents = files.map((file) => Buffer.from(file.content));
  // Layout: 3 descriptors, 4 path tables, 2 root folders, then the files.
  const at = {
    pathLittle: systemSectors + 3,
    pathBig: systemSectors + 4,
    jolietPathLittle: systemSectors + 5,
    jolietPathBig: systemSectors + 6,
    root: systemSectors + 7,
    jolietRoot: systemSectors + 8,
  };
  let nextSector = systemSectors + 9;
  const placed = files.map((file, index) => {
    const size = contents[index]?.length ?? 0;
    const sector = nextSector;
    nextSector += Math.max(1, Math.ceil(size / sectorBytes));
    return { name: file.name, sector, size };
  });
  const image = Buffer.alloc(nextSector * sectorBytes);
  const put = (sector: number, bytes: Buffer): void => {
    bytes.copy(image, sector * sectorBytes);
  };

  const volume = { label, sectors: nextSector, createdAt };
  put(systemSectors, volumeDescriptor(volume, plain, at));
  put(
    systemSectors + 1,
    volumeDescriptor(volume, joliet, {
      pathLittle: at.jolietPathLittle,
      pathBig: at.jolietPathBig,
      root: at.jolietRoot,
    }),
  );
  put(systemSectors + 2, terminator());
  put(at.pathLittle, pathTable(at.root, false));
  put(at.pathBig, pathTable(at.root, true));
  put(at.jolietPathLittle, pathTable(at.jolietRoot, false));
  put(at.jolietPathBig, pathTable(at.jolietRoot, true));
  put(at.root, folder(placed, plain, at.root, createdAt));
  put(at.jolietRoot, folder(placed, joliet, at.jolietRoot, createdAt));
  placed.forEach((file, index) => {
    put(file.sector, contents[index] ?? Buffer.alloc(0));
  });
  return image;
}

/** How one of the two directory trees spells names. */
interface Spelling {
  readonly descriptorType: number;
  readonly escapeSequences: string;
  readonly fileName: (name: string) => Buffer;
  readonly text: (text: string, bytes: number) => Buffer;
}

/**
 * Upper case with a version: a kernel without Joliet shows `META-DATA.;1` as `meta-data` (Linux isofs, `map=normal`).
 * The hyphen is outside of ECMA-119's character set, as mkisofs allows it too.
 */
const plain: Spelling = {
  descriptorType: 1,
  escapeSequences: "",
  fileName: (name) =>
    Buffer.from(
      `${name.toUpperCase()}${name.includes(".") ? "" : "."};1`,
      "latin1",
    ),
  text: (text, bytes) =>
    Buffer.from(text.padEnd(bytes).slice(0, bytes), "latin1"),
};

const joliet: Spelling = {
  descriptorType: 2,
  /** UCS-2 level 3 (Joliet specification, "SVD Escape Sequences Field"). */
  escapeSequences: "%/E",
  fileName: (name) => ucs2(name),
  text: (text, bytes) => {
    const field = Buffer.alloc(bytes);
    ucs2(
      text.padEnd(Math.floor(bytes / 2)).slice(0, Math.floor(bytes / 2)),
    ).copy(field);
    return field;
  },
};

const ucs2 = (text: string): Buffer => Buffer.from(text, "utf16le").swap16();

/** Where a volume's path tables and root folder are. */
interface Sectors {
  readonly pathLittle: number;
  readonly pathBig: number;
  readonly root: number;
}

function volumeDescriptor(
  volume: { label: string; sectors: number; createdAt: Date },
  spelling: Spelling,
  { pathLittle, pathBig, root }: Sectors,
): Buffer {
  const sector = Buffer.alloc(sectorBytes);
  sector.writeUInt8(spelling.descriptorType, 0);
  sector.write("CD001", 1, "latin1");
  sector.writeUInt8(1, 6);
  spelling.text("", 32).copy(sector, 8);
  spelling.text(volume.label, 32).copy(sector, 40);
  bothEndian32(sector, 80, volume.sectors);
  sector.write(spelling.escapeSequences, 88, "latin1");
  bothEndian16(sector, 120, 1);
  bothEndian16(sector, 124, 1);
  bothEndian16(sector, 128, sectorBytes);
  bothEndian32(sector, 132, pathTableBytes);
  sector.writeUInt32LE(pathLittle, 140);
  sector.writeUInt32BE(pathBig, 148);
  folderRecord(Buffer.of(0), root, volume.createdAt).copy(sector, 156);
  // Volume set, publisher, preparer, application (128 each); copyright, abstract, bibliography (37 each).
  for (const [offset, bytes] of identifierFields)
    spelling.text("", bytes).copy(sector, offset);
  sector.write(longDate(volume.createdAt), 813, "latin1");
  sector.write(longDate(volume.createdAt), 830, "latin1");
  // No expiry, effective at once: sixteen "0" digits each (ECMA-119, 8.4.26.1).
  sector.write("0".repeat(16), 847, "latin1");
  sector.write("0".repeat(16), 864, "latin1");
  sector.writeUInt8(1, 881);
  return sector;
}

const identifierFields: readonly (readonly [number, number])[] = [
  [190, 128],
  [318, 128],
  [446, 128],
  [574, 128],
  [702, 37],
  [739, 37],
  [776, 37],
];

function terminator(): Buffer {
  const sector = Buffer.alloc(7);
  sector.writeUInt8(255, 0);
  sector.write("CD001", 1, "latin1");
  sector.writeUInt8(1, 6);
  return sector;
}

const pathTableBytes = 10;

function pathTable(root: number, bigEndian: boolean): Buffer {
  const table = Buffer.alloc(pathTableBytes);
  table.writeUInt8(1, 0);
  if (bigEndian) table.writeUInt32BE(root, 2);
  else table.writeUInt32LE(root, 2);
  if (bigEndian) table.writeUInt16BE(1, 6);
  else table.writeUInt16LE(1, 6);
  return table;
}

function folder(
  files: readonly { name: string; sector: number; size: number }[],
  spelling: Spelling,
  self: number,
  createdAt: Date,
): Buffer {
  // Records are sorted by name (ECMA-119, 9.3); `.` and `..` come first.
  const records = files
    .map((file) => ({ ...file, id: spelling.fileName(file.name) }))
    .sort((a, b) => Buffer.compare(a.id, b.id))
    .map((file) => record({ ...file, isFolder: false }, createdAt));
  const whole = Buffer.concat([
    folderRecord(Buffer.of(0), self, createdAt),
    folderRecord(Buffer.of(1), self, createdAt),
    ...records,
  ]);
  // The next sector is another's.
  if (whole.length > sectorBytes)
    throw new Error(
      `${String(files.length)} files are more than the root folder holds`,
    );
  return whole;
}

const folderRecord = (id: Buffer, sector: number, createdAt: Date): Buffer =>
  record({ id, sector, size: sectorBytes, isFolder: true }, createdAt);

interface Entry {
  readonly id: Buffer;
  readonly sector: number;
  readonly size: number;
  readonly isFolder: boolean;
}

function record(
  { id, sector, size, isFolder }: Entry,
  createdAt: Date,
): Buffer {
  const unpadded = 33 + id.length;
  const bytes = Buffer.alloc(unpadded + (unpadded % 2));
  bytes.writeUInt8(bytes.length, 0);
  bothEndian32(bytes, 2, sector);
  bothEndian32(bytes, 10, size);
  Buffer.of(
    createdAt.getUTCFullYear() - 1900,
    createdAt.getUTCMonth() + 1,
    createdAt.getUTCDate(),
    createdAt.getUTCHours(),
    createdAt.getUTCMinutes(),
    createdAt.getUTCSeconds(),
    0,
  ).copy(bytes, 18);
  bytes.writeUInt8(isFolder ? 2 : 0, 25);
  bothEndian16(bytes, 28, 1);
  bytes.writeUInt8(id.length, 32);
  id.copy(bytes, 33);
  return bytes;
}

/** `YYYYMMDDHHMMSScc` and a zero offset byte. */
const longDate = (date: Date): string =>
  `${date.toISOString().replace(/[-:T]/g, "").slice(0, 14)}00\0`;

function bothEndian32(target: Buffer, offset: number, value: number): void {
  target.writeUInt32LE(value, offset);
  target.writeUInt32BE(value, offset + 4);
}

function bothEndian16(target: Buffer, offset: number, value: number): void {
  target.writeUInt16LE(value, offset);
  target.writeUInt16BE(value, offset + 2);
}
