import { expect, test } from "vitest";
import { differenceIn } from "../../../../../src/helper/workspaces/share/watchedFolders.ts";

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
