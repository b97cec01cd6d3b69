import { basename } from "node:path";
import { openAtOnce } from "../../../base/files.ts";
import { type GuesthouseError, refused } from "../../../protocol/failure.ts";

/** Formats as qemu-img names them. */
export const diskFormats = ["qcow2", "raw", "vmdk", "vhdx", "vdi"] as const;
export type DiskFormat = (typeof diskFormats)[number];

/** First bytes of a file; enough for every header that is looked at. */
const headBytes = 0x9000;

/**
 * Tells the format by the file's own marks, never by its name, and refuses what must not or can't be imported. A disk
 * image can name other files of this host as its contents, so one from elsewhere could make a guest of secrets; such
 * images are refused here, before any tool opens them.
 */
export async function probeDiskFormat(path: string): Promise<DiskFormat> {
  const file = await openAtOnce(path).catch((error: unknown) => {
    throw refused("request.invalid", `${path} can't be read.`, {
      remedy: "Check the path and your permission to read the file.",
      cause: error,
    });
  });
  try {
    const stat = await file.stat();
    if (!stat.isFile())
      throw refused("request.invalid", `${path} is not a file.`, {
        remedy: "Give the path of a disk image file.",
      });
    const head = Buffer.alloc(headBytes);
    const { bytesRead } = await file.read(head, 0, headBytes, 0);
    return diskFormatOf(head.subarray(0, bytesRead), basename(path));
  } finally {
    await file.close();
  }
}

/** As `probeDiskFormat`, of the first 36 KiB of a file. Pure. */
export function diskFormatOf(head: Buffer, name: string): DiskFormat {
  if (startsWith(head, "QFI\xfb")) return checkedQcow2(head, name);
  if (startsWith(head, "KDMV") || startsWith(head, "COWD"))
    return checkedVmdk(head, name);
  if (startsWith(head, "# Disk DescriptorFile"))
    throw notSupported(
      name,
      "is only the description of a VMDK whose contents are in other files",
      "Convert it into one file (qemu-img convert -O qcow2) where it comes from.",
    );
  if (startsWith(head, "vhdxfile")) return "vhdx";
  if (head.length > 0x48 && head.readUInt32LE(0x40) === 0xbeda107f)
    return checkedVdi(head, name);
  const packed = packedWith(head);
  if (packed !== undefined)
    throw notSupported(
      name,
      `is packed with ${packed}`,
      `Unpack it first (${unpackers[packed]} ${name}) and import the result.`,
    );
  if (head.toString("latin1", 0x8001, 0x8006) === "CD001")
    throw notSupported(
      name,
      "is a CD, probably an installer, and no installed disk",
      "Install it into a disk image first, or take the distribution's cloud image.",
    );
  if (looksLikeDisk(head)) return "raw";
  throw notSupported(
    name,
    "is no disk image that is known here",
    "Give a qcow2, raw, vmdk, vhdx or vdi file.",
  );
}

const startsWith = (head: Buffer, magic: string): boolean =>
  head.toString("latin1", 0, magic.length) === magic;

const notSupported = (
  name: string,
  what: string,
  remedy: string,
): GuesthouseError => refused("images.invalid", `${name} ${what}.`, { remedy });

const foreignFile = (name: string, how: string): GuesthouseError =>
  refused(
    "images.invalid",
    `${name} ${how}: it would read another file of this computer, so it is not imported.`,
    {
      remedy:
        "Flatten it where it comes from (qemu-img convert -O qcow2 SOURCE TARGET) and import the result.",
    },
  );

const qcow2ExternalData = 1n << 2n;
const qcow2Corrupt = 1n << 1n;

/** Header: QEMU `docs/interop/qcow2.txt`, big endian. */
function checkedQcow2(head: Buffer, name: string): "qcow2" {
  if (head.length < 72) throw broken(name);
  const version = head.readUInt32BE(4);
  if (version !== 2 && version !== 3)
    throw notSupported(
      name,
      `is a qcow2 of version ${String(version)}`,
      "Convert it to version 3 (qemu-img convert -O qcow2).",
    );
  if (head.readBigUInt64BE(8) !== 0n)
    throw foreignFile(name, "has a backing file");
  if (head.readUInt32BE(32) !== 0)
    throw notSupported(
      name,
      "is encrypted",
      "Decrypt it first (qemu-img convert with the secret).",
    );
  if (version === 2) return "qcow2";
  if (head.length < 104) throw broken(name);
  const incompatible = head.readBigUInt64BE(72);
  if ((incompatible & qcow2ExternalData) !== 0n)
    throw foreignFile(name, "keeps its contents in another file");
  if ((incompatible & qcow2Corrupt) !== 0n) throw broken(name);
  return "qcow2";
}

const broken = (name: string): GuesthouseError =>
  refused("images.broken", `${name} is damaged.`, {
    remedy: "Get the file again and compare its checksum.",
  });

/**
 * A hosted sparse extent (`KDMV`) carries a text in sectors given at byte 28 that may name a parent; without a capacity
 * it names every part of the disk, which may be any file (VMware: Virtual Disk Format 5.0).
 */
function checkedVmdk(head: Buffer, name: string): "vmdk" {
  if (startsWith(head, "COWD"))
    throw notSupported(
      name,
      "is a VMDK of an ESX redo log",
      "Convert it to qcow2 where it comes from.",
    );
  if (head.length < 44) throw broken(name);
  if (head.readBigUInt64LE(12) === 0n)
    throw foreignFile(name, "keeps its contents in other files");
  const start = Number(head.readBigUInt64LE(28)) * 512;
  const length = Number(head.readBigUInt64LE(36)) * 512;
  const text = head.toString("latin1", start, start + length);
  if (start + Math.min(length, 1024) > headBytes)
    throw notSupported(
      name,
      "is a VMDK that describes itself in an unusual place",
      "Convert it to qcow2 where it comes from.",
    );
  if (
    /parentFileNameHint/i.test(text) ||
    /parentCID\s*=\s*(?!f{8})/i.test(text)
  )
    throw foreignFile(name, "has a parent disk");
  return "vmdk";
}

/** Image types 1 (grows) and 2 (fixed) stand alone; 3 and 4 need a parent. */
function checkedVdi(head: Buffer, name: string): "vdi" {
  if (head.length < 0x50) throw broken(name);
  if (head.readUInt32LE(0x4c) > 2) throw foreignFile(name, "has a parent disk");
  return "vdi";
}

const unpackers = {
  gzip: "gunzip",
  xz: "unxz",
  zstd: "unzstd",
  bzip2: "bunzip2",
  zip: "unzip",
  "7z": "7z x",
} as const;

function packedWith(head: Buffer): keyof typeof unpackers | undefined {
  const hex = head.toString("hex", 0, 6);
  if (hex.startsWith("1f8b")) return "gzip";
  if (hex === "fd377a585a00") return "xz";
  if (hex.startsWith("28b52ffd")) return "zstd";
  if (hex.startsWith("425a68")) return "bzip2";
  if (hex.startsWith("504b0304")) return "zip";
  if (hex === "377abcaf271c") return "7z";
  return undefined;
}

/** A partition table, or an ext, XFS or btrfs file system that takes the whole disk. */
function looksLikeDisk(head: Buffer): boolean {
  return (
    (head.length >= 512 && head.readUInt16LE(510) === 0xaa55) ||
    head.toString("latin1", 512, 520) === "EFI PART" ||
    (head.length > 0x43a && head.readUInt16LE(0x438) === 0xef53) ||
    startsWith(head, "XFSB")
  );
}
