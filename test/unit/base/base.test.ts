import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  DeadlineError,
  sleep,
  withDeadline,
} from "../../../src/base/deadline.ts";
import { Disposables } from "../../../src/base/disposables.ts";
import { replaceFile } from "../../../src/base/files.ts";
import { readJson, writeJson } from "../../../src/base/jsonFile.ts";
import { createLog } from "../../../src/base/log.ts";
import { KeyedMutex } from "../../../src/base/mutex.ts";
import { retry } from "../../../src/base/retry.ts";
import { scratch } from "../../fakes/scratch.ts";

const folder = (): Promise<string> => scratch();

describe("deadlines", () => {
  test("work that ignores its signal still ends in time", async () => {
    await expect(
      withDeadline("Waiting", 20, () => new Promise(() => undefined)),
    ).rejects.toThrow(DeadlineError);
  });

  test("the caller's abort wins with its own reason", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const pending = withDeadline(
      "Waiting",
      10_000,
      (signal) => sleep(10_000, signal),
      controller.signal,
    );
    controller.abort(reason);
    await expect(pending).rejects.toBe(reason);
  });

  test("work that ends in time is unharmed", async () => {
    expect(await withDeadline("Waiting", 1_000, () => Promise.resolve(7))).toBe(
      7,
    );
  });
});

describe("disposables", () => {
  test("end in reverse order, once, all of them although one fails", async () => {
    const ended: string[] = [];
    const owner = new Disposables();
    owner.add(() => void ended.push("first"));
    owner.add(() => {
      throw new Error("second fails");
    });
    owner.add(() => void ended.push("third"));
    await expect(owner.dispose()).rejects.toThrow("second fails");
    await owner.dispose();
    expect(ended).toEqual(["third", "first"]);
  });

  test("what is added too late ends at once", async () => {
    const owner = new Disposables();
    await owner.dispose();
    let ended = false;
    owner.add(() => void (ended = true));
    expect(ended).toBe(true);
  });
});

describe("files", () => {
  test("a replaced file is 0600, whole, and leaves no temporary file (B19)", async () => {
    const there = await folder();
    const path = join(there, "a.json");
    await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        replaceFile(path, String(i).repeat(10_000)),
      ),
    );
    const text = await readFile(path, "utf8");
    expect(new Set(text.match(/../g)).size).toBeLessThanOrEqual(2);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(there)).toEqual(["a.json"]);
  });

  test("JSON is read, missing or corrupt, and a corrupt file is left as it is", async () => {
    const path = join(await folder(), "a.json");
    const parse = (value: unknown): number => {
      if (typeof value !== "number") throw new Error("not a number");
      return value;
    };
    expect(await readJson(path, parse)).toEqual({ kind: "missing" });
    await writeJson(path, 3);
    expect(await readJson(path, parse)).toEqual({ kind: "read", value: 3 });
    await writeFile(path, "{");
    expect((await readJson(path, parse)).kind).toBe("corrupt");
    await writeFile(path, '"three"');
    expect(await readJson(path, parse)).toEqual({
      kind: "corrupt",
      reason: "not a number",
    });
    expect(await readFile(path, "utf8")).toBe('"three"');
  });
});

describe("the keyed mutex (B19)", () => {
  test("one at a time per key, in order, also after a failure", async () => {
    const mutex = new KeyedMutex();
    const order: string[] = [];
    const work = (name: string, ms: number) => async (): Promise<void> => {
      order.push(`${name} begins`);
      await sleep(ms);
      order.push(`${name} ends`);
      if (name === "a") throw new Error("a fails");
    };
    const results = await Promise.allSettled([
      mutex.run("k", work("a", 20)),
      mutex.run("k", work("b", 1)),
      mutex.run("other", work("c", 5)),
    ]);
    expect(results.map(({ status }) => status)).toEqual([
      "rejected",
      "fulfilled",
      "fulfilled",
    ]);
    expect(order.indexOf("b begins")).toBeGreaterThan(order.indexOf("a ends"));
    expect(order.indexOf("c ends")).toBeLessThan(order.indexOf("a ends"));
    expect(mutex.busy("k")).toBe(false);
  });
});

describe("retry", () => {
  test("tries until it works, as often as asked", async () => {
    let tries = 0;
    const flaky = (): Promise<number> =>
      ++tries < 3 ? Promise.reject(new Error("no")) : Promise.resolve(tries);
    expect(await retry({ tries: 5, delayMs: 1 }, flaky)).toBe(3);
    tries = -9;
    await expect(retry({ tries: 2, delayMs: 1 }, flaky)).rejects.toThrow("no");
  });

  test("an error that won't pass ends it", async () => {
    let tries = 0;
    await expect(
      retry({ tries: 5, delayMs: 1, again: () => false }, () =>
        Promise.reject(new Error(String(++tries))),
      ),
    ).rejects.toThrow("1");
  });
});

test("log lines carry their context and an error's cause", () => {
  const lines: string[] = [];
  createLog((line) => lines.push(line))
    .with({ request: "r1" })
    .with({ machine: "m1" })
    .error("failed", {
      error: new Error("outer", { cause: new Error("inner") }),
    });
  expect(JSON.parse(lines[0]!)).toMatchObject({
    level: "error",
    message: "failed",
    request: "r1",
    machine: "m1",
    error: { message: "outer", cause: "inner" },
  });
});
