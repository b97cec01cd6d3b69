import { expect, test } from "vitest";
import { readCloudInit } from "../../../../../src/helper/guests/diagnosis/cloudInit.ts";

const mark = "\n==guesthouse==\n";
const healthy = {
  v1: {
    datasource: "DataSourceNoCloud [seed=/dev/vdb][dsmode=net]",
    init: { errors: [], finished: 2, start: 1 },
    "modules-final": { errors: [], finished: 4, start: 3 },
    stage: null,
  },
};
const output = (
  status: unknown,
  result?: unknown,
  problems = "",
  log = "",
): string =>
  [
    status === undefined ? "" : JSON.stringify(status),
    result === undefined ? "" : JSON.stringify(result),
    problems,
    log,
  ].join(mark);

test("B10: a guest without cloud-init says nothing", () => {
  expect(readCloudInit(output(undefined))).toBeUndefined();
  expect(readCloudInit("sh: not found")).toBeUndefined();
});

test("B10: running until the result is written and no stage is left", () => {
  const running = { v1: { ...healthy.v1, stage: "modules-config" } };
  expect(readCloudInit(output(running))?.status).toBe("running");
  expect(readCloudInit(output(healthy))?.status).toBe("running");
  expect(readCloudInit(output(healthy, { v1: { errors: [] } }))?.status).toBe(
    "done",
  );
});

test("B10: a failed runcmd is an error, told once, with its log lines", () => {
  const error =
    "('scripts_user', RuntimeError('Runparts: 1 failures (runcmd) in 1 attempted commands'))";
  const status = {
    v1: { ...healthy.v1, "modules-final": { errors: [error], finished: 4 } },
  };
  const report = readCloudInit(
    output(
      status,
      { v1: { errors: [error] } },
      "util.py[WARNING]: Failed to run module scripts-user\n",
      "sh: 1: nonsense: not found\n",
    ),
  );
  expect(report).toEqual({
    status: "error",
    errors: [`modules-final: ${error}`],
    logTail: [
      "util.py[WARNING]: Failed to run module scripts-user",
      "sh: 1: nonsense: not found",
    ],
  });
});

test("B10: newer releases list recoverable errors; deprecations are none", () => {
  const status = {
    v1: {
      ...healthy.v1,
      init: {
        errors: [],
        recoverable_errors: {
          WARNING: ["no such user"],
          DEPRECATED: ["old key"],
        },
      },
    },
  };
  expect(readCloudInit(output(status, { v1: { errors: [] } }))?.errors).toEqual(
    ["init: no such user"],
  );
});

test.each([
  ["garbage", "\u0000\u00ff"],
  ["cut short", JSON.stringify(healthy).slice(0, -4)],
  ["a list", "[]"],
  ["another type", '{"v1": "done"}'],
])("B10: a status that is %s says nothing", (_, text) => {
  expect(readCloudInit([text, "", "", ""].join(mark))).toBeUndefined();
});

test("B10: a stage of another shape is left out, and enormous words are cut", () => {
  const enormous = "e".repeat(1_000_000);
  const report = readCloudInit(
    output(
      { v1: { ...healthy.v1, odd: 7, init: { errors: [enormous, "plain"] } } },
      { v1: { errors: "none" } },
      enormous,
    ),
  );
  expect(report?.status).toBe("error");
  expect(report?.errors).toContain("init: plain");
  expect(JSON.stringify(report).length).toBeLessThan(10_000);
});
