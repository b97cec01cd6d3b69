import { open } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { failed, type GuesthouseError } from "../../protocol/failure.ts";

export interface Qcow2Header {
  readonly virtualSizeBytes: number;
  /** The file below, absolute; absent for a disk that stands on nothing. */
  readonly backingPath?: string;
}

const fixedBytes = 32;
/** QEMU allows no longer name of a backing file. */
const maxNameBytes = 1023;

/**
 * Reads what a qcow2 says of itself, without a process and without a lock, so of a disk in use too.
 * Throws `images.broken` for anything else. Header: QEMU `docs/interop/qcow2.txt`, big endian.
 */
export async function readQcow2Header(path: string): Promise<Qcow2Header> {
  const file = await open(path, "r");
  try {
    const head = Buffer.alloc(fixedBytes);
    const { bytesRead } = await file.read(head, 0, fixedBytes, 0);
    if (bytesRead < fixedBytes || head.toString("latin1", 0, 4) !== "QFI\xfb")
      throw broken(path);
    const virtualSizeBytes = Number(head.readBigUInt64BE(24));
    const nameOffset = Number(head.readBigUInt64BE(8));
    if (nameOffset === 0) return { virtualSizeBytes };
    const nameBytes = head.readUInt32BE(16);
    if (nameBytes === 0 || nameBytes > maxNameBytes) throw broken(path);
    const name = Buffer.alloc(nameBytes);
    const read = await file.read(name, 0, nameBytes, nameOffset);
    if (read.bytesRead < nameBytes) throw broken(path);
    return {
      virtualSizeBytes,
      backingPath: backingPathOf(name.toString("utf8"), path),
    };
  } finally {
    await file.close();
  }
}

function backingPathOf(name: string, above: string): string {
  if (isAbsolute(name)) return name;
  // `json:{…}`, `nbd://…`: nothing that we ever write.
  if (/^[a-z0-9+.-]+:/i.test(name)) throw broken(above);
  return join(dirname(above), name);
}

const broken = (path: string): GuesthouseError =>
  failed("images.broken", `The disk ${path} is damaged or no qcow2.`, {
    remedy: "Delete the machine or checkpoint that stands on it.",
  });
