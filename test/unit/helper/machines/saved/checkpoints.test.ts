import { expect, test } from "vitest";
import { findCheckpoint } from "../../../../../src/helper/machines/saved/checkpoints.ts";
import {
  refusal,
  resizeRefusal,
  resumingRefusal,
} from "../../../../../src/helper/machines/roster/lifecycle.ts";
import { claimName } from "../../../../../src/helper/machines/identity/names.ts";

const checkpoint = (id: string, note: string) => ({
  id,
  note,
  createdAt: new Date(0).toISOString(),
  memory: true,
  automatic: false,
  sizeBytes: 0,
  layer: "0000000000000000",
  leases: 1,
  shape: { cpus: 1, memoryMiB: 512, diskGiB: 20, screen: false },
});

const machine = {
  name: "web",
  checkpoints: [
    checkpoint("aaaaaaaa", "clean"),
    checkpoint("bbbbbbbb", "twice"),
    checkpoint("cccccccc", "twice"),
  ],
};

test("a checkpoint is found by its id, or by a note that only one has", () => {
  expect(findCheckpoint(machine, "bbbbbbbb").id).toBe("bbbbbbbb");
  expect(findCheckpoint(machine, "clean").id).toBe("aaaaaaaa");
});

test("a note of two names both ids, an unknown one says what is there", () => {
  const failureOf = (which: string, of = machine): unknown => {
    try {
      return findCheckpoint(of, which);
    } catch (error) {
      return (error as { failure: unknown }).failure;
    }
  };
  expect(failureOf("twice")).toEqual({
    kind: "refused",
    code: "checkpoints.unknown",
    message: "2 checkpoints of “web” have the note “twice”.",
    remedy:
      "Name one by its id: aaaaaaaa (clean), bbbbbbbb (twice), cccccccc (twice).",
  });
  expect(failureOf("x", { name: "web", checkpoints: [] })).toMatchObject({
    message: "“web” has no checkpoint “x”.",
    remedy: "Make one first.",
  });
});

test("a kept memory forbids another size, and nothing else", () => {
  expect(resizeRefusal("web", true, { memoryMiB: 1024 })?.failure).toEqual({
    kind: "refused",
    code: "machines.wrongState",
    message:
      "Can't change processors, memory, disk or screen of “web” while its memory is kept for the next start.",
    remedy: "Start it, stop it, then change it.",
  });
  expect(resizeRefusal("web", false, { memoryMiB: 1024 })).toBeUndefined();
  expect(resizeRefusal("web", true, {})).toBeUndefined();
});

test("nothing is kept of a guest that has not come back yet", () => {
  expect(resumingRefusal("suspend", "web", false)).toBeUndefined();
  expect(resumingRefusal("checkpoint", "web", true)?.failure.message).toBe(
    "Can't make a checkpoint of “web” before its guest has come back from its saved state.",
  );
});

test("verbs of two words are said as such", () => {
  expect(
    refusal("rollBack", "web", { kind: "deleting" })?.failure.message,
  ).toBe("Can't roll back “web” while it is deleting.");
  expect(
    refusal("suspend", "web", { kind: "stopped", reason: "requested" })?.failure
      .remedy,
  ).toBe("Only a running or paused machine has a memory to keep.");
});

test("a fork without a wish takes the next free name; a taken one is refused", () => {
  const taken = new Set(["web-fork", "web"]);
  expect(claimName(undefined, "web-fork", taken)).toBe("web-fork-2");
  expect(() => claimName("web", "web-fork", taken)).toThrow(/already/);
});
