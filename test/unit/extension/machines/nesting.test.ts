import { expect, test, vi } from "vitest";
import { namedIn } from "../../../../src/extension/machines/choose.ts";
import { nestingOf } from "../../../../src/extension/machines/nesting.ts";
import type { Machine } from "../../../../src/protocol/machines.ts";
import { checkpoint, machine } from "../samples.ts";

vi.mock("vscode", () => import("../../../fakes/vscode.ts"));

const named = (name: string, change: Partial<Machine> = {}): Machine =>
  machine({ id: name, name, ...change });
const from = (id: string): Pick<Machine, "parent"> => ({
  parent: { id, name: id },
});

const web = named("web", {
  checkpoints: [checkpoint({ id: "old" }), checkpoint({ id: "new" })],
});

test("below a machine are its checkpoints, newest first, and then its forks by name", () => {
  const nesting = nestingOf([
    named("web-fork-10", from("web")),
    named("web-fork-2", from("web")),
    named("api"),
    web,
    named("grandchild", from("web-fork-2")),
  ]);
  expect(nesting.below()).toEqual(["api", "web"]);
  expect(nesting.below("web")).toEqual([
    "web/new",
    "web/old",
    "web-fork-2",
    "web-fork-10",
  ]);
  expect(nesting.below("web-fork-2")).toEqual(["grandchild"]);
  expect(nesting.below("api")).toEqual([]);
  expect(nesting.parentOf("grandchild")).toBe("web-fork-2");
});

test("a fork whose parent is gone is at the top", () => {
  const nesting = nestingOf([named("web-fork", from("web"))]);
  expect(nesting.below()).toEqual(["web-fork"]);
  expect(nesting.parentOf("web-fork")).toBeUndefined();
});

test("the structure changes with the rows that there are, not with what they say", () => {
  const { structure } = nestingOf([web, named("api")]);
  const busy = named("api", { state: { kind: "running", sinceMs: 0 } });
  expect(nestingOf([busy, web]).structure).toBe(structure);
  const forked = nestingOf([web, named("api", from("web"))]);
  expect(forked.structure).not.toBe(structure);
  const without = nestingOf([{ ...web, checkpoints: [] }, named("api")]);
  expect(without.structure).not.toBe(structure);
});

test("checkpoints that are selected with machines are no machines", () => {
  expect(namedIn(["web", ["web", "web/new", "api"]])).toEqual(["web", "api"]);
  expect(namedIn(["web", ["api"]])).toEqual(["web"]);
});
