import { beforeEach, expect, test, vi } from "vitest";
import type { Call } from "../../../../src/extension/helper/connection.ts";
import { deleteMachine } from "../../../../src/extension/machines/deleteMachine.ts";
import { failed, refused } from "../../../../src/protocol/failure.ts";
import { asked, presses } from "../../../fakes/vscode.ts";
import { machine as sample } from "../samples.ts";

vi.mock("vscode", () => import("../../../fakes/vscode.ts"));

const machine = sample({ name: "web" });
const unsaved = refused("machines.unsavedWork", "“web” holds 1 file (a.ts).");
let calls: unknown[];
let answers: Error[];
let broughtBack: number;

beforeEach(() => {
  calls = [];
  answers = [];
  broughtBack = 0;
  asked.length = 0;
  presses.length = 0;
});

const call = ((_: string, params: unknown) => {
  calls.push(params);
  const error = answers.shift();
  return error === undefined
    ? Promise.resolve({ id: machine.id })
    : Promise.reject(error);
}) as Call;
const run = () =>
  deleteMachine(call, machine, () => {
    broughtBack += 1;
    return Promise.resolve();
  });

test("a machine without work of its own is deleted without a further question", async () => {
  await run();
  expect(calls).toEqual([{ machine: machine.id }]);
  expect(asked).toEqual([]);
});

test("one that holds work is kept, with the list, until the user decides", async () => {
  answers.push(unsaved);
  await run();
  expect(calls).toHaveLength(1);
  expect(asked).toEqual([
    {
      message: "web holds unsaved work.",
      detail: expect.stringContaining("a.ts") as string,
    },
  ]);
});

test("Delete Anyway deletes it with its work", async () => {
  answers.push(unsaved);
  presses.push("Delete Anyway");
  await run();
  expect(calls.at(-1)).toEqual({ machine: machine.id, discard: true });
});

test("Bring Back brings it back and asks again whether anything is left", async () => {
  answers.push(unsaved, unsaved);
  presses.push("Bring Back", "Bring Back");
  await run();
  expect(broughtBack).toBe(2);
  expect(calls).toEqual(Array.from({ length: 3 }, () => calls[0]));
});

test("another failure is told as such", async () => {
  const failure = failed("host.diskFull", "The disk is full.");
  answers.push(failure);
  await expect(run()).rejects.toBe(failure);
});
