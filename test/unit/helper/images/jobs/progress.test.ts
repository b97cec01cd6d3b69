import { describe, expect, it } from "vitest";
import { workingState } from "../../../../../src/helper/images/jobs/progress.ts";
import { rateMeter } from "../../../../../src/helper/net/rate.ts";
import { buildStage } from "../../../../../src/helper/images/catalog/recipes.ts";

describe("workingState", () => {
  it("derives the fraction from bytes and keeps a stage's beginning", () => {
    const first = workingState(
      { stage: "download", bytes: 1, totalBytes: 4 },
      undefined,
      1000,
    );
    expect(first).toMatchObject({ fraction: 0.25, sinceMs: 1000 });
    const second = workingState(
      { stage: "download", bytes: 5, totalBytes: 4 },
      first,
      2000,
    );
    expect(second).toMatchObject({ fraction: 1, sinceMs: 1000 });
    expect(workingState({ stage: "convert" }, second, 3000)).toEqual({
      kind: "working",
      stage: "convert",
      sinceMs: 3000,
    });
  });
});

describe("rateMeter", () => {
  it("tells the speed of the last seconds and forgets a false start", () => {
    let now = 0;
    const rate = rateMeter(() => now);
    expect(rate(0)).toBe(0);
    for (; now <= 10_000; now += 500) rate(now * 2);
    expect(rate(now * 2)).toBeCloseTo(2000, -2);
    now += 100;
    expect(rate(0)).toBe(0);
  });
});

describe("buildStage", () => {
  it("only goes forward over a whole build", () => {
    const fractions = [
      { stage: "packages" },
      { stage: "install", fraction: 0.1 },
      { stage: "install", fraction: 0.9 },
      { stage: "customize" },
      { stage: "kernel" },
      { stage: "disk" },
      { stage: "convert", fraction: 1 },
    ].map((progress) => buildStage(progress).fraction ?? -1);
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
    expect(fractions[0]).toBe(0);
    expect(fractions.at(-1)).toBeCloseTo(1);
  });
});
