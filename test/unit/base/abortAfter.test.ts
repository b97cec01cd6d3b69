import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { abortAfter, sleep } from "../../../src/base/deadline.ts";

test("a limit holds though nobody but its signal knows of it, and the garbage collector comes by", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const signal = abortAfter(50, new AbortController().signal);
  collect();
  await sleep(100);
  expect(signal.aborted).toBe(true);
});

test("the caller's abort comes through, with its reason, and once only", () => {
  const controller = new AbortController();
  const signal = abortAfter(60_000, controller.signal);
  const reason = new Error("enough");
  controller.abort(reason);
  expect(signal.reason).toBe(reason);
  expect(abortAfter(60_000, controller.signal).aborted).toBe(true);
});
