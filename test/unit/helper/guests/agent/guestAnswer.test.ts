import * as z from "zod";
import { describe, expect, test } from "vitest";
import {
  guestAnswer,
  guestJson,
  jsonOrNothing,
  maxListed,
  words,
} from "../../../../../src/helper/guests/agent/guestAnswer.ts";
import * as shape from "../../../../../src/helper/guests/agent/shapes.ts";
import { linuxPrograms } from "../../../../../src/helper/guests/programs/linux.ts";
import { windowsPrograms } from "../../../../../src/helper/guests/programs/windows.ts";
import { GuesthouseError } from "../../../../../src/protocol/failure.ts";

/** The failure that `work` ends with; anything else fails the test. */
function failureOf(work: () => unknown): { code: string; message: string } {
  try {
    work();
  } catch (error) {
    if (error instanceof GuesthouseError) return error.failure;
    throw error;
  }
  throw new Error("nothing was refused");
}

const huge = "x".repeat(10_000_000);

describe("what a guest's agent answers is believed by its schema only", () => {
  test.each([
    ["execStarted", shape.execStarted, { pid: "7" }],
    ["execStarted", shape.execStarted, { pid: 1.5 }],
    ["execStarted", shape.execStarted, null],
    ["execStatus", shape.execStatus, { exited: "yes" }],
    ["execStatus", shape.execStatus, { exited: true, exitcode: "0" }],
    ["execStatus", shape.execStatus, { exited: true, "out-data": 1 }],
    ["info", shape.info, { supported_commands: "all" }],
    [
      "info",
      shape.info,
      { supported_commands: [{ name: huge, enabled: true }] },
    ],
    [
      "info",
      shape.info,
      {
        supported_commands: Array.from({ length: maxListed + 1 }, () => ({
          ...{ name: "a", enabled: true },
        })),
      },
    ],
    ["osInfo", shape.osInfo, { id: huge }],
    ["osInfo", shape.osInfo, []],
    ["interfaces", shape.interfaces, { name: "eth0" }],
    [
      "interfaces",
      shape.interfaces,
      [
        {
          name: "e",
          "ip-addresses": [{ "ip-address": "1.2.3.4", prefix: 999 }],
        },
      ],
    ],
    ["time", shape.time, "now"],
    ["time", shape.time, Number.NaN],
    ["fileHandle", shape.fileHandle, {}],
    ["fileWritten", shape.fileWritten, { count: -1 }],
    ["fileRead", shape.fileRead, { count: 1, eof: false }],
    ["users", shape.users, [{ user: 0 }]],
  ] as const)("%s refuses what it can't be", (what, schema, answer) => {
    const failure = failureOf(() => guestAnswer<unknown>(what, schema, answer));
    expect(failure.code).toBe("machines.notReady");
    expect(failure.message).toContain(what);
    expect(failure.message.length).toBeLessThan(1_000);
  });

  test("words for people are cut, not refused", () => {
    const { prettyName } = guestAnswer("its system", shape.osInfo, {
      id: "debian",
      "pretty-name": huge,
    });
    expect(prettyName?.length).toBeLessThan(3_000);
    expect(words.parse("short")).toBe("short");
  });
});

describe("JSON of a guest's programs", () => {
  test.each([
    ["garbage", "\u0000\u0001\u00ff"],
    ["nothing", ""],
    ["cut short", '[{"ifname": "eth0", "addr_in'],
    ["another type", '{"ifname": "eth0"}'],
    ["another field", '[{"ifname": 1}]'],
    ["an enormous field", JSON.stringify([{ ifname: huge }])],
  ])("%s is a failure that repeats nothing of it", (_, text) => {
    const failure = failureOf(() => linuxPrograms.interfaces.read(text));
    expect(failure.code).toBe("machines.notReady");
    expect(failure.message).toMatch(
      /^The guest's answer to the list of its cards/,
    );
    expect(failure.message.length).toBeLessThan(1_000);
    expect(failureOf(() => windowsPrograms.interfaces.read(text)).code).toBe(
      "machines.notReady",
    );
    expect(failureOf(() => windowsPrograms.users.read(text)).code).toBe(
      "machines.notReady",
    );
  });

  test("says where the answer is wrong", () => {
    expect(
      failureOf(() =>
        guestJson("it", z.object({ a: z.array(z.int()) }), '{"a":[1,"2"]}'),
      ).message,
    ).toContain("a.1:");
  });

  test("half a file is nothing", () => {
    expect([
      jsonOrNothing('{"a'),
      jsonOrNothing(""),
      jsonOrNothing("1"),
    ]).toEqual([undefined, undefined, 1]);
  });
});
