import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  planPool,
  type PoolSight,
} from "../../../../../src/helper/machines/pool/plan.ts";
import {
  poolSizeFrom,
  PoolSizes,
} from "../../../../../src/helper/machines/pool/sizes.ts";

const gib = 1024 ** 3;

const want = (
  template: string,
  count: number,
  failed = false,
): PoolSight["wanted"][number] => ({
  template,
  count,
  guestBytes: gib / 2,
  failed,
});

const member = (
  id: string,
  template = "t",
  ready = true,
): PoolSight["members"][number] => ({ id, template, ready });

const sight = (changes: Partial<PoolSight> = {}): PoolSight => ({
  wanted: [want("t", 2)],
  members: [],
  availableBytes: 8 * gib,
  totalBytes: 16 * gib,
  quiet: true,
  ...changes,
});

describe("the plan of the pool", () => {
  test("fills one at a time", () => {
    expect(planPool(sight())).toMatchObject({ end: [], fill: "t" });
    const underWay = planPool(sight({ members: [member("a", "t", false)] }));
    expect(underWay.fill).toBeUndefined();
    expect(underWay.waits.get("t")).toBe("filling");
    expect(planPool(sight({ members: [member("a")] })).fill).toBe("t");
  });

  test("does nothing when all are there", () => {
    const plan = planPool(sight({ members: [member("a"), member("b")] }));
    expect(plan).toEqual({ end: [], fill: undefined, waits: new Map() });
  });

  test("waits while somebody's own machine comes up", () => {
    const plan = planPool(sight({ quiet: false }));
    expect(plan.fill).toBeUndefined();
    expect(plan.waits.get("t")).toBe("quiet");
  });

  test("ends what nobody wants: too many, first those that are not ready, and of a template that is gone", () => {
    const plan = planPool(
      sight({
        wanted: [want("t", 1)],
        members: [
          member("a"),
          member("old", "gone"),
          member("b"),
          member("c", "t", false),
        ],
      }),
    );
    expect([...plan.end].sort()).toEqual(["b", "c", "old"]);
    expect(plan.fill).toBeUndefined();
  });

  test("the setting's zero ends all", () => {
    const plan = planPool(sight({ wanted: [], members: [member("a")] }));
    expect(plan).toEqual({ end: ["a"], fill: undefined, waits: new Map() });
  });

  test("does not fill when an eighth of the memory would not stay free, with the guest's memory all used", () => {
    const short = planPool(sight({ availableBytes: 2.4 * gib }));
    expect(short.fill).toBeUndefined();
    expect(short.waits.get("t")).toBe("memory");
    expect(planPool(sight({ availableBytes: 2.6 * gib })).fill).toBe("t");
  });

  test("gives one back when the host's memory is very short", () => {
    const members = [member("a"), member("b")];
    expect(planPool(sight({ members, availableBytes: 1.5 * gib })).end).toEqual(
      [],
    );
    expect(planPool(sight({ members, availableBytes: 0.5 * gib })).end).toEqual(
      ["b"],
    );
  });

  test("after a failure another template has its turn", () => {
    const plan = planPool(
      sight({ wanted: [want("t", 1, true), want("u", 1)] }),
    );
    expect(plan.fill).toBe("u");
    expect(plan.waits.get("t")).toBe("failure");
  });
});

describe("the sizes of the pool", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "gh-pool-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test.each([
    [undefined, 0],
    ["", 0],
    ["2", 2],
    ["-1", 0],
    ["many", 0],
    ["1.5", 0],
    ["1000", 32],
  ])("GUESTHOUSE_POOL=%s means %i", (text, count) => {
    expect(poolSizeFrom(text)).toBe(count);
  });

  test("an image's own number goes before the one for all, and is there for the next helper", async () => {
    const path = join(folder, "pool.json");
    const sizes = new PoolSizes(path, 1);
    await sizes.load();
    expect(sizes.of("debian-12")).toBe(1);
    await sizes.set("debian-12", 0);
    await sizes.set("ubuntu-24.04", 3);
    const next = new PoolSizes(path, 1);
    await next.load();
    expect(
      ["debian-12", "ubuntu-24.04", "other"].map((i) => next.of(i)),
    ).toEqual([0, 3, 1]);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readFile(path, "utf8")).toContain("ubuntu-24.04");
  });

  test("a file that can't be read keeps nobody from anything", async () => {
    const path = join(folder, "broken.json");
    await writeFile(path, '{"format":1,"images":{"x":"two"}}');
    const sizes = new PoolSizes(path, 0);
    await sizes.load();
    expect(sizes.allZero()).toBe(true);
  });
});
