import { rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach } from "vitest";
import { scratchFolder } from "../qemu/workbench.ts";

/** A small file system of its own, of which more or less can be taken. */
export interface SmallDisk {
  readonly folder: string;
  /** Fills it but for so many bytes. */
  leave(roomBytes: number): Promise<void>;
  empty(): Promise<void>;
}

export const canMount = process.getuid?.() === 0;

const mounted: string[] = [];
afterEach(async () => {
  for (const folder of mounted.splice(0))
    await execa("umount", ["-l", folder], { reject: false });
});

export async function smallDisk(sizeMiB: number): Promise<SmallDisk> {
  const folder = await scratchFolder();
  const options = `size=${String(sizeMiB)}m,mode=700`;
  await execa("mount", ["-t", "tmpfs", "-o", options, "tmpfs", folder]);
  mounted.push(folder);
  const filler = join(folder, "filler");
  const empty = (): Promise<void> => rm(filler, { force: true });
  return {
    folder,
    empty,
    async leave(roomBytes) {
      // Somebody may write between the look and the filling.
      for (let left = 5; ; left--) {
        await empty();
        const { bavail, bsize } = await statfs(folder);
        const length = Math.max(1, bavail * bsize - roomBytes);
        const { exitCode, stderr } = await execa(
          "fallocate",
          ["-l", String(length), filler],
          { reject: false },
        );
        if (exitCode === 0) return;
        if (left === 0) throw new Error(stderr);
      }
    },
  };
}
