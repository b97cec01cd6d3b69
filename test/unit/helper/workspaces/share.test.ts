import { describe, expect, test } from "vitest";
import { chooseFiles } from "../../../../src/helper/workspaces/share/filesWay.ts";
import {
  FrameReader,
  packFrame,
} from "../../../../src/helper/workspaces/share/frames.ts";
import { namesOf } from "../../../../src/helper/workspaces/share/hostFolder.ts";
import { differenceIn } from "../../../../src/helper/workspaces/share/watchedFolders.ts";

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

test("frames come out of a stream as they went in, however it is cut; anything else is an error", () => {
  const whole = Buffer.concat([
    packFrame({ o: "write", p: "ü" }, Buffer.from([0, 1, 255])),
    packFrame({ o: "hello" }),
  ]);
  const reader = new FrameReader();
  const frames = [...whole].flatMap((byte) => reader.take(Buffer.from([byte])));
  expect(frames.map(({ fields }) => fields)).toEqual([
    { o: "write", p: "ü" },
    { o: "hello" },
  ]);
  expect([...(frames[0]?.payload ?? [])]).toEqual([0, 1, 255]);
  expect(() =>
    new FrameReader().take(Buffer.from("Traceback (most recent")),
  ).toThrow(/something else/);
});

test("a path that could lead elsewhere is none", () => {
  expect(namesOf("a/b c/…")).toEqual(["a", "b c", "…"]);
  for (const path of ["..", "a/../b", "/etc", "a//b", "a/.", "a\0b", "a/"])
    expect(() => namesOf(path)).toThrow();
});

test("a change is told by what the guest knew: what it did itself, and reading, is none", () => {
  const file = [0o100644, 5, 7, 1, 100, 0, 100, 0, 100, 0, 8, 1];
  const folder = [0o040755, 4096, 8, 2, 100, 0, 100, 0, 100, 0, 8, 1];
  const but = (all: readonly number[], place: number, value: number) =>
    all.with(place, value);
  expect(differenceIn(file, file)).toBeUndefined();
  expect(differenceIn(file, but(file, 8, 200))).toBeUndefined();
  expect(differenceIn(folder, but(folder, 4, 200))).toBeUndefined();
  expect(differenceIn(file, but(file, 1, 6))).toBe("m");
  expect(differenceIn(file, but(file, 5, 1))).toBe("m");
  expect(differenceIn(file, but(file, 0, 0o100755))).toBe("a");
  expect(differenceIn(file, but(file, 2, 9))).toBe("c");
  // An inode's number that was used again.
  expect(differenceIn(file, but(file, 11, 2))).toBe("c");
  expect(differenceIn(undefined, file)).toBe("c");
  expect(differenceIn(file, undefined)).toBe("d");
  expect(differenceIn(undefined, undefined)).toBeUndefined();
});
