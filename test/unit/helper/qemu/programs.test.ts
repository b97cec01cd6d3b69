import { expect, test } from "vitest";
import {
  findProgram,
  searchFolders,
} from "../../../../src/helper/qemu/programs.ts";

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
