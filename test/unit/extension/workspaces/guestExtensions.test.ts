import type { Memento } from "vscode";
import { beforeEach, expect, test, vi } from "vitest";
import { keepGuestExtensions } from "../../../../src/extension/workspaces/guestExtensions.ts";
import type { Workspace } from "../../../../src/protocol/workspaces.ts";
import { asked, presses } from "../../../fakes/vscode.ts";
import { memento } from "../memento.ts";

vi.mock("vscode", () => import("../../../fakes/vscode.ts"));

let changed: () => void;
let trusted: () => void;
let isTrusted: boolean;
let workspace: Workspace | undefined;
let installed: string[];
let unwell: Set<string>;
let kept: Memento;

function open(): () => void {
  return keepGuestExtensions({
    workspaces: {
      onDidChange: (listener) => {
        changed = () => listener({ changed: [], removed: [] });
        return () => (changed = () => undefined);
      },
    },
    here: () => workspace,
    isTrusted: () => isTrusted,
    onTrusted: (listener) => {
      trusted = listener;
      return { dispose: () => undefined };
    },
    memento: kept,
    install: (id) => {
      installed.push(String(id));
      return unwell.has(String(id))
        ? Promise.reject(new Error("not found"))
        : Promise.resolve();
    },
  });
}
const inMachine = (id: string, ...extensions: string[]): Workspace => ({
  id: "w1",
  folder: "/w/web",
  title: "web",
  alias: "gh-web",
  machine: { id, name: "web" },
  remote: { folder: "/workspaces/web", user: "dev" },
  extensions,
  state: { kind: "ready" },
  logPath: "/log",
  revision: 1,
});
const settle = (): Promise<void> => new Promise((wake) => setTimeout(wake, 0));

beforeEach(() => {
  [isTrusted, workspace, installed, unwell] = [true, undefined, [], new Set()];
  kept = memento();
  asked.length = 0;
  presses.length = 0;
  open();
});

test("each is installed once in each VM; what is new in the file comes along", async () => {
  changed();
  await settle();
  workspace = inMachine("m1", "a.b", "c.d");
  changed();
  changed();
  await settle();
  expect(installed).toEqual(["a.b", "c.d"]);
  open();
  changed();
  await settle();
  expect(installed).toEqual(["a.b", "c.d"]);
  workspace = inMachine("m1", "a.b", "e.f");
  changed();
  await settle();
  expect(installed.slice(2)).toEqual(["e.f"]);
  workspace = inMachine("m2", "a.b");
  changed();
  await settle();
  expect(installed.slice(3)).toEqual(["a.b"]);
});

test("a window that isn't trusted installs nothing until it is", async () => {
  isTrusted = false;
  workspace = inMachine("m1", "a.b");
  changed();
  await settle();
  expect(installed).toEqual([]);
  isTrusted = true;
  trusted();
  await settle();
  expect(installed).toEqual(["a.b"]);
});

test("what fails is told at once with its reason, tried again on wish, and then never again", async () => {
  workspace = inMachine("m1", "a.b", "no.such", "nor.this");
  unwell = new Set(["no.such", "nor.this"]);
  presses.push("Try Again", undefined);
  changed();
  await settle();
  await settle();
  expect(installed).toEqual([
    ...["a.b", "no.such", "nor.this"],
    ...["no.such", "nor.this"],
  ]);
  expect(asked.map(({ message }) => message)).toEqual([
    "These extensions were not installed in the VM: no.such (not found), nor.this (not found)",
    "These extensions were not installed in the VM: no.such (not found), nor.this (not found)",
  ]);
  changed();
  await settle();
  expect(asked.length).toBe(2);
});
