import { open, rm } from "node:fs/promises";
import type { Command } from "../tools/command.ts";
import { run } from "../tools/command.ts";
import { type Isolation, isolated } from "../tools/namespace.ts";

/** Label by which initrd and kernel command line find the root file system. */
export const rootLabel = "guesthouse-root";

export interface RootDisk {
  readonly tree: string;
  readonly rawPath: string;
  readonly sizeGiB: number;
}

/**
 * mke2fs(8) that fills the whole disk from a folder: no partition table, no loop device, no mount. Tables are left to
 * the kernel to initialise, so that the disk stays as small as its content.
 */
export function fileSystemCommand({ tree, rawPath }: RootDisk): Command {
  return {
    file: "mke2fs",
    args: [
      "-q",
      "-F",
      "-t",
      "ext4",
      "-L",
      rootLabel,
      // Root's reserve of 5 % is for servers.
      "-m",
      "1",
      "-e",
      "remount-ro",
      "-E",
      "lazy_itable_init=1,lazy_journal_init=1,nodiscard",
      "-d",
      tree,
      rawPath,
    ],
  };
}

/** qemu-img(1) to a plain qcow2, uncompressed: compressed clusters cost time at every boot of every clone. */
export function convertCommand(rawPath: string, diskPath: string): Command {
  return {
    file: "qemu-img",
    args: ["convert", "-f", "raw", "-O", "qcow2", rawPath, diskPath],
  };
}

/** Writes `tree` as a file system into a sparse raw disk; owners are those inside the namespace. */
export async function makeRootDisk(
  disk: RootDisk,
  isolation: Isolation,
  signal: AbortSignal,
): Promise<void> {
  const file = await open(disk.rawPath, "wx", 0o600);
  try {
    await file.truncate(disk.sizeGiB * 2 ** 30);
  } finally {
    await file.close();
  }
  await run(isolated(isolation, fileSystemCommand(disk)), signal);
}

/** Converts and removes the raw disk. */
export async function convertDisk(
  rawPath: string,
  diskPath: string,
  signal: AbortSignal,
): Promise<void> {
  await run(convertCommand(rawPath, diskPath), signal);
  await rm(rawPath);
}
