import { execa } from "execa";
import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  learnHotPages,
  prefetchHotPages,
  runs,
} from "../../../src/helper/snapshots/hotPages.ts";
import type { TemplateFiles } from "../../../src/helper/store/layout.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** Maps a file as a warm clone's QEMU does; reads at the first offset, writes at the second. */
const clone = String.raw`
import mmap, sys
file = open(sys.argv[1], "rb")
memory = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
memory[int(sys.argv[2])]
memory[int(sys.argv[3])] = 1
print("touched", flush=True)
sys.stdin.read()
`;

describe.skipIf(process.platform !== "linux")(
  "what a clone uses of its template's memory (skipped where there is no /proc)",
  () => {
    let folder: string;
    let files: TemplateFiles;
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), "gh-hot-"));
      const named = (name: string): string => join(folder, name);
      files = {
        folder,
        record: named("template.json"),
        memory: named("memory"),
        hotPages: named("hot-pages"),
        state: named("state"),
        disk: named("disk.qcow2"),
        variables: named("variables.fd"),
      };
      await writeFile(files.memory, "");
      await truncate(files.memory, 8 * MiB);
    });
    afterEach(() => rm(folder, { recursive: true }));

    const learnFrom = async (read: number, written: number): Promise<void> => {
      const guest = execa(
        "python3",
        ["-c", clone, files.memory, String(read), String(written)],
        { reject: false },
      );
      try {
        await new Promise((resolve) => guest.stdout.once("data", resolve));
        await learnHotPages(guest.pid!, files, AbortSignal.timeout(30_000));
      } finally {
        guest.stdin.end();
        await guest;
      }
    };
    const known = async (): Promise<[number, number][]> => [
      ...runs(await readFile(files.hotPages)),
    ];

    test("is known once it has run for some seconds, what it read and what it wrote, and stays so", async () => {
      await learnFrom(3 * MiB + 5, 7 * MiB + 64 * KiB);
      const first = [
        [3 * MiB, 3 * MiB + 64 * KiB],
        [7 * MiB + 64 * KiB, 7 * MiB + 128 * KiB],
      ];
      expect(await known()).toEqual(first);
      await learnFrom(0, 0);
      expect(await known()).toEqual(first);
      await prefetchHotPages(files);
    });

    test("is no matter where it can't be told or read", async () => {
      await prefetchHotPages(files);
      await learnHotPages(2 ** 30, files, AbortSignal.timeout(30_000));
      await expect(readFile(files.hotPages)).rejects.toThrow("ENOENT");
      await learnHotPages(process.pid, files, AbortSignal.abort());
      await writeFile(files.hotPages, new Uint8Array([1]));
      await rm(files.memory);
      await prefetchHotPages(files);
    });
  },
);
