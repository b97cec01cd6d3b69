import { describe, expect, test } from "vitest";
import {
  isLiving,
  refusal,
  type Verb,
} from "../../../../src/helper/machines/lifecycle.ts";
import type { MachineState } from "../../../../src/protocol/machines.ts";

const states: readonly MachineState[] = [
  { kind: "creating", step: "disk", sinceMs: 0 },
  { kind: "starting", stage: "kernel", sinceMs: 0 },
  { kind: "running", sinceMs: 0 },
  { kind: "paused", sinceMs: 0 },
  { kind: "stopping", step: "shutdown", sinceMs: 0 },
  { kind: "stopped", reason: "requested" },
  { kind: "deleting" },
];
const allowedIn = (verb: Verb): string[] =>
  states
    .filter((state) => refusal(verb, "web", state) === undefined)
    .map(({ kind }) => kind);

describe("what is allowed in which state", () => {
  test.each([
    ["start", ["stopped"]],
    ["stop", ["starting", "running", "paused"]],
    ["pause", ["running"]],
    ["resume", ["paused"]],
    ["set", ["stopped"]],
    ["delete", ["starting", "running", "paused", "stopped"]],
    ["rename", ["starting", "running", "paused", "stopped"]],
    ["stats", ["starting", "running", "paused"]],
  ] as const)("%s", (verb, expected) => {
    expect(allowedIn(verb)).toEqual(expected);
  });

  test("a refusal says verb, name, state and what to do", () => {
    expect(
      refusal("set", "web", { kind: "running", sinceMs: 0 })?.failure,
    ).toEqual({
      kind: "refused",
      code: "machines.wrongState",
      message: "Can't set “web” while it is running.",
      remedy:
        "Stop it first: processors, memory, disk and screen change while a machine is stopped.",
    });
  });

  test("QEMU lives in exactly the states that say so", () => {
    expect(states.filter(isLiving).map(({ kind }) => kind)).toEqual([
      "starting",
      "running",
      "paused",
      "stopping",
    ]);
  });
});
