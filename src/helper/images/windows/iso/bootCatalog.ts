import { type ByteReader, invalidIso } from "./byteReader.ts";

/** The entry of an ISO's boot catalog that UEFI firmware starts from. */
export interface EfiBootEntry {
  /** Of the catalog's sector, in bytes from the medium's start. */
  readonly sectorOffset: number;
  readonly sector: Buffer;
  /** Of the entry in the sector. */
  readonly entryOffset: number;
  /** In sectors of 2048 bytes. */
  readonly imageSector: number;
  /** In units of 512 bytes; 0 and 1 mean up to the medium's end (what OVMF makes of them). */
  readonly count: number;
}

const sectorBytes = 2048;
const efiPlatform = 0xef;
const entryBytes = 32;

/** Undefined where the ISO doesn't boot by UEFI. Source: "El Torito" Bootable CD-ROM Format Specification 1.0. */
export async function efiBootEntry(
  reader: ByteReader,
): Promise<EfiBootEntry | undefined> {
  for (let sector = 16; sector < 32; sector++) {
    const bytes = await reader.read(sector * sectorBytes, sectorBytes);
    if (bytes.toString("latin1", 1, 6) !== "CD001" || bytes[0] === 255)
      return undefined;
    if (
      bytes[0] === 0 &&
      bytes.toString("latin1", 7, 30) === "EL TORITO SPECIFICATION"
    ) {
      const sectorOffset = bytes.readUInt32LE(71) * sectorBytes;
      const catalog = await reader.read(sectorOffset, sectorBytes);
      return entryIn(catalog, sectorOffset);
    }
  }
  return undefined;
}

function entryIn(sector: Buffer, sectorOffset: number) {
  if (sector[0] !== 1 || sector.readUInt16LE(30) !== 0xaa55)
    throw invalidIso("its boot catalog is damaged");
  // The entry after the validation entry is of the platform that that one names; sections have headers of their own.
  let platform = sector[1];
  for (let at = entryBytes; at + entryBytes <= sectorBytes; at += entryBytes) {
    const kind = sector[at];
    if (kind === 0x90 || kind === 0x91) platform = sector[at + 1];
    else if (kind === 0x88 && platform === efiPlatform)
      return {
        sectorOffset,
        sector,
        entryOffset: at,
        imageSector: sector.readUInt32LE(at + 8),
        count: sector.readUInt16LE(at + 6),
      };
  }
  return undefined;
}

/** The catalog's sector as it would be with another image. Pure; entries have no checksum but the first. */
export function withBootImage(
  { sector, entryOffset, count }: EfiBootEntry,
  image: { readonly sector: number; readonly sizeBytes: number },
): Buffer {
  const changed = Buffer.from(sector);
  changed.writeUInt32LE(image.sector, entryOffset + 8);
  if (count > 1)
    changed.writeUInt16LE(
      Math.min(Math.ceil(image.sizeBytes / 512), 0xffff),
      entryOffset + 6,
    );
  return changed;
}
