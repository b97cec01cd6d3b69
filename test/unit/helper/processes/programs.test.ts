import { delimiter } from "node:path";
import { expect, test } from "vitest";
import {
  findProgram,
  programPath,
  searchFolders,
} from "../../../../src/helper/processes/programs.ts";

test("GUESTHOUSE_QEMU replaces the search, for QEMU's programs only", () => {
  const env = { GUESTHOUSE_QEMU: "/opt/qemu/bin", PATH: "/usr/bin" };
  expect(searchFolders("qemu-img", env, "linux")).toEqual(["/opt/qemu/bin"]);
  expect(searchFolders("ssh", env, "linux")[0]).toBe("/usr/bin");
});

test("relative folders of PATH are never searched", () => {
  expect(
    searchFolders("ssh", { PATH: ".:bin::/sbin" }, "linux").filter(
      (folder) => !folder.startsWith("/usr"),
    ),
  ).toEqual(["/sbin"]);
});

test("a program that is nowhere is undefined", async () => {
  expect(await findProgram("guesthouse-no-such-program")).toBeUndefined();
});

test("system programs are found with an ordinary user's PATH, and so by what they start", () => {
  const env = { PATH: "/home/me/bin:.", GUESTHOUSE_QEMU: "/opt/qemu/bin" };
  expect(searchFolders("mke2fs", env, "linux")).toContain("/usr/sbin");
  const folders = programPath(env, "linux").split(delimiter);
  expect(folders.slice(0, 2)).toEqual(["/opt/qemu/bin", "/home/me/bin"]);
  expect(folders).toContain("/usr/sbin");
  expect(folders).not.toContain(".");
});
