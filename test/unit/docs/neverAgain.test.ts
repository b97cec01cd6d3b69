import { describe, expect, test } from "vitest";
import {
  citations,
  neverAgainPath,
  numbersIn,
  textOf,
} from "../../../scripts/docs/citations.ts";
import { readNeverAgain } from "../../../scripts/docs/neverAgain.ts";

const cited = citations();
const { held, unheld } = readNeverAgain(textOf(neverAgainPath));
const inTests = new Set(
  cited
    .filter(({ path }) => path.startsWith("test/"))
    .map(({ number }) => number),
);

/** A way to read the failures: which number, and where it is cited. */
const places = (wrong: typeof cited): string[] =>
  wrong.map(({ number, path }) => `${number} in ${path}`);

describe("docs/never-again.md", () => {
  test("explains every number that code, tests, docs or resources cite", () => {
    expect(cited.length).toBeGreaterThan(300);
    const known = new Set([...held, ...unheld]);
    expect(places(cited.filter(({ number }) => !known.has(number)))).toEqual(
      [],
    );
  });

  test("explains each number once", () => {
    const all = [...held, ...unheld];
    expect(all.filter((one, index) => all.indexOf(one) !== index)).toEqual([]);
  });

  test("has a test for every number, but for those that it says no test holds", () => {
    expect(held.filter((number) => !inTests.has(number))).toEqual([]);
  });

  test("says of no number that has a test that it has none: give it a section, and run npm run docs", () => {
    expect(unheld.filter((number) => inTests.has(number))).toEqual([]);
  });
});

test.each([
  ["B4, B36: what is queued", ["B4", "B36"]],
  ["what no two machines may share (B1–B4)", ["B1", "B2", "B3", "B4"]],
  ["F12: a command that stays", ["F12"]],
  ['press("F1"), Ctrl+Alt+F2, AltLeft+F4, 0xB1, SHA256:B12x', []],
])("numbers are read in %j", (text, numbers) => {
  expect(numbersIn(text)).toEqual(numbers);
});
