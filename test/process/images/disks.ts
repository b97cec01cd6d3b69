import { randomBytes } from "node:crypto";
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { execa } from "execa";

/** Files that tell a root file system that may become an image. */
const rootFiles = [
  "etc/os-release",
  "lib/modules/6.1.0-1-amd64/modules.dep",
  "sbin/init",
  "usr/bin/cloud-init",
  "usr/sbin/sshd",
];

/**
 * Writes a raw disk of 8 MiB that is one ext4 file system with the outline of a Linux root and 2 MiB of noise, so that
 * no two are alike. It would not boot.
 */
export async function makeRootDisk(
  path: string,
  without: readonly string[] = [],
): Promise<void> {
  const tree = `${path}.tree`;
  for (const file of rootFiles) {
    if (without.some((left) => file.startsWith(left))) continue;
    await mkdir(join(tree, dirname(file)), { recursive: true });
    await writeFile(join(tree, file), "#!/bin/sh\n");
    await chmod(join(tree, file), 0o755);
  }
  await writeFile(join(tree, "noise"), randomBytes(2 * 2 ** 20));
  await execa("mke2fs", ["-q", "-t", "ext4", "-d", tree, path, "8M"]);
  await rm(tree, { recursive: true });
}
