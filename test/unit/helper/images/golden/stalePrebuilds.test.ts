import { expect, test } from "vitest";
import {
  type PrebuildUse,
  staleReasons,
} from "../../../../../src/helper/images/golden/stalePrebuilds.ts";

const day = 24 * 60 * 60 * 1000;
const now = 1000 * day;
const use = (
  digest: string,
  daysAgo: number,
  more: Partial<PrebuildUse["source"]> = {},
): PrebuildUse => ({
  digest,
  usedAtMs: now - daysAgo * day,
  source: {
    kind: "prebuild",
    title: "web",
    key: digest,
    fileKey: digest,
    content: "",
    base: { name: "debian-12", digest: "base" },
    madeAt: "2026-01-01T00:00:00.000Z",
    workspace: "w",
    ...more,
  },
});
const reasons = (...all: PrebuildUse[]): Record<string, string> =>
  Object.fromEntries(staleReasons(all, new Set(["base"]), now));

test("what is in use stays: the only one, one of another branch, one from elsewhere", () => {
  const newer = use("newer", 0, { madeAt: "2026-02-01T00:00:00.000Z" });
  expect(reasons(use("only", 30))).toEqual({});
  expect(reasons(use("branch", 2), newer)).toEqual({});
  const imported = { workspace: undefined, base: { name: "d", digest: "x" } };
  expect(reasons(use("ci", 30, imported))).toEqual({});
});

test("what may go: superseded and unused for a week, unused for long, on an image that was replaced", () => {
  const newer = use("newer", 0, { madeAt: "2026-02-01T00:00:00.000Z" });
  expect(reasons(use("old", 8), newer)).toEqual({
    old: "a prebuild that has a newer one, unused for 8 days",
  });
  expect(reasons(use("only", 61))).toEqual({
    only: "a prebuild, unused for 61 days",
  });
  const elsewhere = { base: { name: "debian-12", digest: "gone" } };
  expect(reasons(use("orphan", 0, elsewhere))).toEqual({
    orphan: "a prebuild on an image that was replaced",
  });
});
