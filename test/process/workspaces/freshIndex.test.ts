import { cp, readFile, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  otherThanIndexed,
  parseIndexEntries,
} from "../../../src/helper/workspaces/git/freshIndex.ts";
import { takeBase } from "../../../src/helper/workspaces/bringBack/unsaved.ts";
import { copyFolderIn } from "../../../src/helper/workspaces/copying/copyFolder.ts";
import { missing } from "../ssh/realSshd.ts";
import { git, overSsh, repositoryAt } from "./workspaceOverSsh.ts";

const quiet = (): void => undefined;

/** Other content of the same length, with the times that the file had. */
async function forge(path: string): Promise<void> {
  const { atime, mtime } = await stat(path);
  const content = await readFile(path, "utf8");
  await writeFile(path, "X".repeat(content.length));
  await utimes(path, atime, mtime);
}

/** Long enough ago that git need not doubt its index. */
async function settledRepository(
  folder: string,
  ...init: string[]
): Promise<void> {
  await repositoryAt(folder, ...init);
  const past = new Date(Math.floor(Date.now() / 1000 - 60) * 1000);
  for (const name of (await git(folder, "ls-files", "-z")).split("\0"))
    if (name === "kept" || name === "changed")
      await utimes(join(folder, name), past, past);
  await git(folder, "update-index", "-q", "--refresh");
}

describe.skipIf(missing)(
  `a copy's index says which files the copy has (skipped where ${missing ?? "OpenSSH's server is missing"})`,
  () => {
    const at = overSsh();
    const copied = async (...init: string[]) => {
      await settledRepository(at.here, ...init);
      await cp(at.here, at.there, {
        recursive: true,
        preserveTimestamps: true,
        verbatimSymlinks: true,
      });
      return { session: at.session, folder: at.there };
    };

    test("what the host vouches for is not read again, what it doesn't is", async () => {
      const workspace = await copied();
      await forge(join(at.there, "kept"));
      await forge(join(at.there, "changed"));
      await takeBase(workspace, ["changed"]);
      expect(await git(at.there, "status", "--porcelain")).toBe(" M changed");
    });

    test.each([
      { name: "version 2", init: [] },
      { name: "version 4", setting: ["index.version", "4"] },
      { name: "SHA-256", init: ["--object-format=sha256"] },
      { name: "no checksum", setting: ["index.skipHash", "true"] },
    ])("an index with $name stays one that git reads", async (one) => {
      const workspace = await copied(...(one.init ?? []));
      if (one.setting !== undefined) {
        await git(at.there, "config", ...one.setting);
        await git(at.there, "read-tree", "HEAD");
      }
      const before = await git(at.there, "ls-files", "--stage");
      await takeBase(workspace, []);
      expect(await git(at.there, "ls-files", "--stage")).toBe(before);
      await git(at.there, "fsck");
      expect(await git(at.there, "status", "--porcelain")).toBe("");
    });

    test("an index in two files is left alone", async () => {
      const workspace = await copied();
      await git(at.there, "update-index", "--split-index");
      await takeBase(workspace, []);
      expect(await git(at.there, "status", "--porcelain")).toBe("");
    });

    test("a host's file that was exchanged behind git's back is seen in the copy", async () => {
      await settledRepository(at.here);
      await forge(join(at.here, "kept"));
      expect(await otherThanIndexed(at.here)).toContain("kept");
      await copyFolderIn(
        at.session,
        { folder: at.here, target: at.there },
        quiet,
      );
      expect(await git(at.there, "status", "--porcelain")).toBe(" M kept");
      expect(await otherThanIndexed(at.there)).toEqual(["kept"]);
    });
  },
);

test("what git shows of an index is taken whole or not at all", () => {
  const entry =
    "a b\nc\0  ctime: 10:5\n  mtime: 11:6\n  dev: 1\tino: 7\n  uid: 0\tgid: 0\n  size: 8\tflags: 0\n";
  expect(parseIndexEntries(entry + entry)).toHaveLength(2);
  expect(parseIndexEntries(entry)).toEqual([
    { name: "a b\nc", ctime: [10, 5], mtime: [11, 6], inode: 7, size: 8 },
  ]);
  expect(parseIndexEntries("")).toEqual([]);
  expect(parseIndexEntries(`${entry}x\0 something new\n`)).toBeUndefined();
});
