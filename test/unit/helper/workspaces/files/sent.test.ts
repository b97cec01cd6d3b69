import {
  chmod,
  mkdir,
  mkdtemp,
  rm,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { gzipSync } from "node:zlib";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  differenceOf,
  packSent,
  stampFiles,
  unpackSent,
} from "../../../../../src/helper/workspaces/files/sent.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gh-sent-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("content of another size, a time, a mode and a kind are changes; what is in a folder is none of its own", async () => {
  const names = ["a", "b", "c", "d", "e", "folder"];
  await mkdir(join(folder, "folder"));
  for (const name of names.slice(0, 5))
    await writeFile(join(folder, name), name);
  const before = await stampFiles(folder, [...names, "missing"]);
  expect(before.bytes).toBe(5);
  expect(before.files.map(({ name }) => name)).toEqual(names);
  await writeFile(join(folder, "folder", "new"), "new");
  await writeFile(join(folder, "a"), "longer");
  await utimes(join(folder, "b"), 1, 1);
  await chmod(join(folder, "c"), 0o755);
  await rm(join(folder, "d"));
  await symlink("a", join(folder, "d"));
  await rm(join(folder, "e"));
  const after = await stampFiles(folder, names);
  expect(differenceOf(before.files, after.files)).toEqual({
    send: ["a", "b", "c", "d"],
    gone: ["e"],
  });
});

describe("the list as the guest keeps it", () => {
  const files = [
    { name: "a\nb", stamp: "f644:1:2" },
    { name: "ü", stamp: "d755" },
  ];

  test("there and back", () => {
    expect(unpackSent(packSent(files))).toEqual(files);
    expect(unpackSent(packSent([]))).toEqual([]);
  });

  test("is nothing when the guest gives something else", () => {
    expect(unpackSent(Buffer.from(""))).toBeUndefined();
    expect(unpackSent(Buffer.from("garbage"))).toBeUndefined();
    for (const text of [
      "f644:1:2",
      "f644:1:2\0a",
      "f644:1:2\0a\0d755\0",
      "x644\0a\0",
      "f644:1:2\0/etc/passwd\0",
      "f644:1:2\0a/../../b\0",
      "f644:1:2\0\0",
    ])
      expect(unpackSent(gzipSync(text)), text).toBeUndefined();
  });
});

test("what is gone is removed before the folder that it was in, which goes with the last of its files", () => {
  const listed = (...names: string[]) =>
    names.map((name) => ({ name, stamp: "f644" }));
  const sent = listed("a/b/c", "a/b/d", "a/e");
  expect(differenceOf(sent, []).gone).toEqual([
    ...["a/e", "a/b/d", "a/b/c", "a/b", "a"],
  ]);
  expect(differenceOf(sent, listed("a/e", "a/b/d")).gone).toEqual(["a/b/c"]);
});
