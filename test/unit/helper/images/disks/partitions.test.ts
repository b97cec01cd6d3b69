import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  parseListing,
  rootChecks,
} from "../../../../../src/helper/images/disks/inspectDisk.ts";
import {
  bootsByUefi,
  gptPartitions,
  mbrPartitions,
} from "../../../../../src/helper/images/disks/partitions.ts";

const MiB = 2 ** 20;

describe("partitions", () => {
  it("reads an MBR's entries, less the unused and the impossible", () => {
    const sector = Buffer.alloc(512);
    const entry = (at: number, type: number, start: number, size: number) => {
      sector.writeUInt8(type, at + 4);
      sector.writeUInt32LE(start, at + 8);
      sector.writeUInt32LE(size, at + 12);
    };
    entry(446, 0x83, 2048, 4096);
    entry(462, 0, 9999, 9999);
    entry(478, 0x83, 4_000_000_000, 4096);
    entry(494, 0x83, 0, 4096);
    expect(mbrPartitions(sector, 100 * MiB)).toEqual([
      { startBytes: MiB, sizeBytes: 2 * MiB },
    ]);
  });

  it("reads a GPT's entries of any size", () => {
    const table = Buffer.alloc(2 * 256);
    table.writeUInt8(1, 256);
    table.writeBigUInt64LE(2048n, 256 + 32);
    table.writeBigUInt64LE(6143n, 256 + 40);
    expect(gptPartitions(table, 256, 100 * MiB)).toEqual([
      { startBytes: MiB, sizeBytes: 2 * MiB },
    ]);
  });
});

describe("bootsByUefi", () => {
  it.each([
    ["a GPT without code in its boot sector", true, true, false],
    ["a GPT with code, which boots both ways", true, false, true],
    ["an MBR without code", false, false, false],
  ])("%s", async (_what, gpt, expected, code) => {
    const folder = await mkdtemp(join(tmpdir(), "gh-part-"));
    const head = Buffer.alloc(1024);
    if (gpt) head.write("EFI PART", 512);
    if (code) head.writeUInt8(0xeb, 0);
    await writeFile(join(folder, "disk"), head);
    const disk = await open(join(folder, "disk"));
    expect(await bootsByUefi(disk)).toBe(expected);
    await disk.close();
    await rm(folder, { recursive: true });
  });
});

describe("inspecting a root", () => {
  it("reads what debugfs lists", () => {
    expect(
      parseListing(
        "/2/040755/0/0/.//\n/2/040755/0/0/..//\n/12/100755/0/0/init/10/\n/13/120777/0/0/lib/7/\n",
      ),
    ).toEqual(["init", "lib"]);
    expect(parseListing("/lib/modules: File not found\n")).toEqual([]);
  });

  it("is content with a merged /usr", () => {
    const outcomes = rootChecks({
      "/": ["etc", "usr"],
      "/usr/lib/modules": ["6.1.0"],
      "/usr/bin": ["cloud-init"],
      "/usr/sbin": ["init", "sshd"],
    }).map(({ outcome }) => outcome);
    expect(outcomes).toEqual(["ok", "ok", "ok", "ok"]);
  });
});
