import { expect, test } from "vitest";
import {
  dueCommands,
  isAfter,
} from "../../../../../src/helper/workspaces/up/due.ts";

const file = {
  onCreateCommand: "a",
  updateContentCommand: ["b"],
  postCreateCommand: { one: "c" },
  postStartCommand: "d",
  postAttachCommand: "e",
};
const due = (marks: Record<string, string>, bootId = "boot-1"): string[] =>
  dueCommands(file, new Map(Object.entries(marks)), bootId).map(
    ({ name }) => name,
  );
const created = {
  onCreateCommand: "once",
  updateContentCommand: "once",
  postCreateCommand: "once",
};

test("what runs: all in a new VM, from the failed one on after a failure, each boot's and each attach's later", () => {
  expect(due({})).toEqual(Object.keys(file));
  expect(due({ onCreateCommand: "once" })).toEqual(Object.keys(file).slice(1));
  expect(due(created)).toEqual(["postStartCommand", "postAttachCommand"]);
  const started = { ...created, postStartCommand: "boot-1" };
  expect(due(started)).toEqual(["postAttachCommand"]);
  expect(due(started, "boot-2")).toEqual([
    "postStartCommand",
    "postAttachCommand",
  ]);
});

test("a command that comes into the file later runs once, too", () => {
  const before = { onCreateCommand: "once", updateContentCommand: "once" };
  expect(due({ ...before, postStartCommand: "boot-1" })).toEqual([
    "postCreateCommand",
    "postAttachCommand",
  ]);
});

test("an editor opens after updateContent, or where waitFor says", () => {
  expect(isAfter("updateContentCommand")).toBe(false);
  expect(isAfter("postCreateCommand")).toBe(true);
  expect(isAfter("postCreateCommand", "postCreateCommand")).toBe(false);
  expect(isAfter("onCreateCommand", "initializeCommand")).toBe(true);
});

test("nothing after the last command that is wished for", () => {
  const names = dueCommands(file, new Map(), "b", {
    last: "updateContentCommand",
  });
  expect(names.map(({ name }) => name)).toEqual([
    "onCreateCommand",
    "updateContentCommand",
  ]);
});
