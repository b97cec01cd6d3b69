import { expect, test } from "vitest";
import { namesOf } from "../../../../../src/helper/workspaces/share/hostFolder.ts";

test("a path that could lead elsewhere is none", () => {
  const ellipsis = Buffer.from("…", "utf8").toString("latin1");
  expect(namesOf(`a/b c/${ellipsis}`)).toEqual(["a", "b c", ellipsis]);
  for (const path of ["..", "a/../b", "/etc", "a//b", "a/.", "a\0b", "a/"])
    expect(() => namesOf(path)).toThrow();
});

test("nor one whose characters become other bytes on the way to the system", () => {
  for (const path of [
    "…",
    "\u012e\u012e",
    "\u012e\u012e\u012fsecret",
    "a\u012fb",
  ])
    expect(() => namesOf(path)).toThrow();
});
