import { describe, expect, test } from "vitest";
import {
  branchesOf,
  type Offer,
  parseChanged,
  parseOffer,
  savedLines,
} from "../../../../../src/helper/workspaces/bringBack/plan.ts";
import { isSafeName } from "../../../../../src/helper/workspaces/bringBack/safeNames.ts";
import { parseStatus } from "../../../../../src/helper/workspaces/bringBack/unsaved.ts";

const hash = (digit: string): string => digit.repeat(40);
const offer: Offer = {
  kind: "git",
  tree: hash("1"),
  work: hash("2"),
  base: hash("3"),
  head: hash("4"),
  tips: [hash("4")],
  refs: [{ commit: hash("5"), name: "refs/heads/feature/x" }],
  unfiltered: ["my filter"],
};

describe("what the guest offers", () => {
  test("is read", () => {
    expect(
      parseOffer(
        `kind git\ntree ${hash("1")}\nwork ${hash("2")}\nbase ${hash("3")}\nhead ${hash("4")}\ntip ${hash("4")}\nref ${hash("5")} refs/heads/feature/x\nraw my filter\n`,
      ),
    ).toEqual(offer);
  });

  test.each([
    "",
    `kind git\ntree --upload-pack=x\nwork ${hash("2")}\nbase ${hash("3")}\n`,
    `kind git\ntree ${hash("1")}\nwork HEAD\nbase ${hash("3")}\n`,
    `kind other\ntree ${hash("1")}\nwork ${hash("2")}\nbase ${hash("3")}\n`,
    `kind git\ntree ${hash("1")}\nwork ${hash("2")}\nbase ${hash("3")}\ntip --all\n`,
    `kind git\ntree ${hash("1")}\nwork ${hash("2")}\nbase ${hash("3")}\nref x refs/heads/x\n`,
  ])("is refused when it is no answer of ours: %j", (text) => {
    expect(() => parseOffer(text)).toThrow(/makes no sense/);
  });
});

describe("branches", () => {
  test("the work, then the guest's other branches beside it", () => {
    expect(branchesOf(offer, "back")).toEqual([
      { branch: "back", commit: hash("2") },
      { branch: "back-feature/x", commit: hash("5") },
    ]);
  });

  test("none for what is as it was copied in", () => {
    const same = { ...offer, tree: offer.base, refs: [] };
    expect(branchesOf(same, "back")).toEqual([]);
    expect(branchesOf({ ...same, tips: [] }, "back")).toHaveLength(1);
  });

  test("files alone don't count other branches as saved", () => {
    expect(savedLines(offer, "files")).not.toContain(hash("5"));
    expect(savedLines(offer, "commits")).toContain(`tip ${hash("5")}`);
  });
});

test("changed files are read, whatever their names", () => {
  expect(parseChanged("A\0a\nb\0D\0c\0T\0d\0M\0ü\0")).toEqual([
    { name: "a\nb", how: "added" },
    { name: "c", how: "deleted" },
    { name: "d", how: "changed" },
    { name: "ü", how: "changed" },
  ]);
});

test.each(["M", "M\0a", "M\0a\0D", "M\0\0", "R100\0a\0", "hello\nM\0a\0"])(
  "a list of changed files that git would not print is refused: %j",
  (text) => expect(() => parseChanged(text)).toThrow(/makes no sense/),
);

test("no changed files are none", () => {
  expect(parseChanged("")).toEqual([]);
});

describe("unsaved work", () => {
  const born = `/born\0${hash("4")}\0`;

  test("is what differs from the copy and from the last commit", () => {
    const text = `/saved\0a\0b\0/head\0b\0c\0${born}/commits\0abc one\0/inner\0sub\0/end\0`;
    expect(parseStatus(text)).toEqual({
      files: ["b"],
      commits: ["abc one"],
      inner: ["sub"],
    });
  });

  test("without a commit it is what differs from the copy", () => {
    const text = "/saved\0a\0/head\0/born\0\0/commits\0/inner\0/end\0";
    expect(parseStatus(text).files).toEqual(["a"]);
  });

  test("an answer that is cut off is no answer", () => {
    expect(() => parseStatus(`/saved\0a\0/head\0a\0${born}`)).toThrow(
      /cut off/,
    );
  });
});

test.each([
  [
    "text before it",
    "hello\n/saved\0a\0/head\0/born\0\0/commits\0/inner\0/end\0",
  ],
  ["a part that is missing", "/saved\0/head\0/born\0\0/commits\0/end\0"],
  [
    "a part that nobody knows",
    "/saved\0/head\0/born\0/x\0/commits\0/inner\0/end\0",
  ],
  ["its end only", "/end\0"],
])("unsaved work is not told from an answer with %s", (_, text) => {
  expect(() => parseStatus(text)).toThrow(/makes no sense/);
});

describe("names that a guest may have written here", () => {
  test.each(["a", "a/b", ".gitignore", ".github/x", "..a", "git", "a b/ü"])(
    "%j",
    (name) => expect(isSafeName(name)).toBe(true),
  );
  test.each([
    ...["", "/etc/passwd", "../x", "a/../../x", "a/./b", "a//b", "C:\\x"],
    ...[".git", ".git/hooks/x", "sub/.git/config", ".GIT/x", ".git /x"],
    ...[".git./x", "git~1/x", "GIT~2", ".g\u200cit/x", ".git::$INDEX/x"],
  ])("not %j", (name) => expect(isSafeName(name)).toBe(false));
});
