import { describe, expect, test } from "vitest";
import { chooseFiles } from "../../../../../src/helper/workspaces/known/filesWay.ts";

describe("how the files come into a VM", () => {
  const nobody = {
    wanted: undefined,
    usual: undefined,
    made: undefined,
    platform: "linux",
  } as const;

  test("is by copy, unless the user says otherwise", () => {
    expect(chooseFiles(nobody, undefined, false)).toEqual({ way: "copy" });
    expect(
      chooseFiles({ ...nobody, usual: "share" }, undefined, false),
    ).toEqual({ way: "share" });
    expect(
      chooseFiles(
        { ...nobody, usual: "share", wanted: "copy" },
        "share",
        false,
      ),
    ).toEqual({ way: "copy" });
  });

  test("what a folder's file asks for opens nothing of this computer", () => {
    expect(() => chooseFiles(nobody, "share", false)).toThrow(/\.git/);
    expect(() => chooseFiles(nobody, "share-readonly", false)).toThrow(
      /git ignores/,
    );
    expect(() =>
      chooseFiles({ ...nobody, usual: "share-readonly" }, "share", false),
    ).toThrow(/mounted/);
    // Less than what the user allows of all folders.
    expect(
      chooseFiles({ ...nobody, usual: "share" }, "share-readonly", false),
    ).toEqual({ way: "share-readonly" });
    expect(chooseFiles({ ...nobody, usual: "share" }, "copy", false)).toEqual({
      way: "copy",
    });
    expect(chooseFiles({ ...nobody, wanted: "share" }, "share", false)).toEqual(
      { way: "share" },
    );
  });

  test("a VM keeps the way that it was made with, and what can't be mounted is refused or copied with a word", () => {
    const made = { ...nobody, made: "copy", wanted: "share" } as const;
    expect(chooseFiles(made, "share", false)).toMatchObject({
      way: "copy",
      note: expect.stringContaining("rebuild") as string,
    });
    expect(() =>
      chooseFiles({ ...nobody, wanted: "share" }, undefined, true),
    ).toThrow(/branch/);
    expect(
      chooseFiles({ ...nobody, platform: "darwin" }, "share", false),
    ).toMatchObject({ way: "copy", note: expect.any(String) as string });
  });
});
