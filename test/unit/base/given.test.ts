import { expect, test } from "vitest";
import { given } from "../../../src/base/given.ts";

test("what is undefined is left out and overwrites nothing; all else stays", () => {
  const name: string | undefined = undefined;
  expect({ name: "web", ...given({ name, port: 0, on: false, none: null }) })
    // toStrictEqual tells an absent key from an undefined one.
    .toStrictEqual({ name: "web", port: 0, on: false, none: null });
  expect(Object.keys(given({ name }))).toEqual([]);
});
