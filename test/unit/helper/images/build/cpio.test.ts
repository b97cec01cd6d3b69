import { execa } from "execa";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { cpioArchive } from "../../../../../src/helper/images/build/cpio.ts";

const script = Buffer.from("#!/bin/sh\necho odd length\n");
const entries = [
  { kind: "folder", path: "bin" },
  { kind: "folder", path: "dev" },
  { kind: "characterDevice", path: "dev/console", major: 5, minor: 1 },
  { kind: "file", path: "bin/tool", data: script, executable: true },
  { kind: "file", path: "empty", data: new Uint8Array() },
] as const;

const hasCpio = await execa("cpio", ["--version"], { reject: false }).then(
  ({ exitCode }) => exitCode === 0,
);

describe("cpio archive", () => {
  test("equal contents give equal bytes, padded to whole sectors", () => {
    const archive = cpioArchive(entries);
    expect(cpioArchive(entries)).toEqual(archive);
    expect(archive.length % 512).toBe(0);
    expect(archive.toString("latin1", 0, 6)).toBe("070701");
    expect(archive.toString("latin1")).toContain("TRAILER!!!");
  });

  test.skipIf(!hasCpio)(
    "is understood by cpio(1) (skipped where that isn't installed)",
    async () => {
      const folder = await mkdtemp(join(tmpdir(), "cpio-"));
      try {
        const list = await execa(
          "cpio",
          ["-itv", "--quiet", "--numeric-uid-gid"],
          {
            input: cpioArchive(entries),
          },
        );
        expect(list.stdout).toMatch(
          /^crw-{7}\s+1\s+0\s+0\s+5,\s*1 .*dev\/console$/m,
        );
        expect(list.stdout).toMatch(
          /^-rwxr-xr-x\s+1\s+0\s+0\s+26 .*bin\/tool$/m,
        );
        await execa("cpio", ["-id", "--quiet", "bin/tool", "bin", "empty"], {
          cwd: folder,
          input: cpioArchive(entries),
        });
        expect(await readFile(join(folder, "bin/tool"))).toEqual(script);
        expect((await stat(join(folder, "empty"))).size).toBe(0);
      } finally {
        await rm(folder, { recursive: true });
      }
    },
  );
});
