import { describe, expect, test } from "vitest";
import {
  isLiving,
  refusal,
  type Verb,
} from "../../../../../src/helper/machines/roster/lifecycle.ts";
import type { MachineState } from "../../../../../src/protocol/machines.ts";

type Kind = MachineState["kind"];

/** One state of each kind: a kind that is missing here does not compile. */
const stateOf: { readonly [K in Kind]: MachineState & { kind: K } } = {
  creating: { kind: "creating", step: "disk", sinceMs: 0 },
  starting: { kind: "starting", stage: "kernel", sinceMs: 0 },
  running: { kind: "running", sinceMs: 0 },
  unready: {
    kind: "unready",
    sinceMs: 0,
    diagnosis: {
      ...{ hint: "Nothing answers.", cause: "slow", stage: "kernel" },
      ...{ waitedMs: 0, runState: "running", addresses: [], probes: [] },
      consoleTail: [],
    },
  },
  paused: { kind: "paused", sinceMs: 0 },
  stopping: { kind: "stopping", step: "shutdown", sinceMs: 0 },
  stopped: { kind: "stopped", reason: "requested" },
  deleting: { kind: "deleting" },
};
const states = Object.values(stateOf);

/** In which states each verb is allowed: a verb that is missing here does not compile. */
const allowed: Readonly<Record<Verb, readonly Kind[]>> = {
  start: ["stopped"],
  stop: ["starting", "running", "unready", "paused"],
  pause: ["running", "unready"],
  resume: ["paused"],
  rename: ["starting", "running", "unready", "paused", "stopped"],
  set: ["stopped"],
  delete: ["starting", "running", "unready", "paused", "stopped"],
  stats: ["starting", "running", "unready", "paused"],
  screenshot: ["starting", "running", "unready", "paused"],
  diagnose: ["starting", "running", "unready", "paused"],
  reach: ["starting", "running", "unready"],
  fork: ["running", "unready", "paused", "stopped"],
  checkpoint: ["running", "unready", "paused", "stopped"],
  rollBack: ["starting", "running", "unready", "paused", "stopped"],
  suspend: ["running", "unready", "paused"],
};

describe("what is allowed in which state", () => {
  test.each(Object.entries(allowed) as [Verb, readonly Kind[]][])(
    "%s",
    (verb, expected) => {
      for (const state of states) {
        const error = refusal(verb, "web", state);
        if (expected.includes(state.kind)) expect(error).toBeUndefined();
        else
          expect(error?.failure, state.kind).toMatchObject({
            kind: "refused",
            code: "machines.wrongState",
            message: expect.stringContaining(
              `“web” while it is ${state.kind}.`,
            ) as string,
            remedy: expect.stringMatching(/\.$/) as string,
          });
      }
    },
  );

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
      "unready",
      "paused",
      "stopping",
    ]);
  });
});
