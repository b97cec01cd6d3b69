import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { takeLock } from "../../../../src/helper/store/lock.ts";
import { scratch } from "../../../fakes/scratch.ts";

const me = { pid: 1, startTime: "a" };
const alive = (): Promise<boolean> => Promise.resolve(true);
const dead = (): Promise<boolean> => Promise.resolve(false);
const lockPath = async (): Promise<string> =>
  join(await scratch(), "helper.lock");

describe("the helper's lock (B19)", () => {
  test("one holder at a time, free again after release", async () => {
    const path = await lockPath();
    const first = await takeLock(path, me, alive);
    expect(first).toBeDefined();
    expect(await takeLock(path, me, alive)).toBeUndefined();
    await first?.release();
    expect(await takeLock(path, me, alive)).toBeDefined();
  });

  test("a dead owner's lock is taken over, and so is an unreadable one (B15)", async () => {
    const path = await lockPath();
    await takeLock(path, me, alive);
    expect(await takeLock(path, me, dead)).toBeDefined();
    await writeFile(path, "not json");
    expect(await takeLock(path, me, alive)).toBeDefined();
  });

  test("of twenty takers of a stale lock exactly one wins, and no litter stays", async () => {
    const path = await lockPath();
    await takeLock(path, { pid: 99, startTime: "long ago" }, alive);
    const isAlive = ({ pid }: { pid: number }): Promise<boolean> =>
      Promise.resolve(pid !== 99);
    const taken = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        takeLock(path, { pid: i, startTime: "now" }, isAlive),
      ),
    );
    expect(taken.filter((lock) => lock !== undefined)).toHaveLength(1);
    expect(await readdir(join(path, ".."))).toEqual(["helper.lock"]);
  });

  test("a late release does not remove the next owner's lock", async () => {
    const path = await lockPath();
    const first = await takeLock(path, me, alive);
    const second = await takeLock(path, me, dead);
    await first?.release();
    expect(await takeLock(path, me, alive)).toBeUndefined();
    await second?.release();
  });
});
