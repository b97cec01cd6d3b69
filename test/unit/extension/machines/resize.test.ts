import { expect, test, vi } from "vitest";
import type { Call } from "../../../../src/extension/helper/connection.ts";
import { resize } from "../../../../src/extension/machines/changeCommands.ts";
import { failed } from "../../../../src/protocol/failure.ts";

vi.mock("vscode", () => import("../../../fakes/vscode.ts"));

const recording = (
  fails?: string,
): { call: Call; asked: [string, unknown][] } => {
  const asked: [string, unknown][] = [];
  const call = ((method: string, params: unknown) => {
    asked.push([method, params]);
    return method === fails
      ? Promise.reject(failed("host.diskFull", "The disk is full."))
      : Promise.resolve({});
  }) as Call;
  return { call, asked };
};
const change = { diskGiB: 40 };
const set = ["machines.set", { machine: "id", ...change }];

test("a resize keeps no checkpoint unless the setting asks for it", async () => {
  const { call, asked } = recording();
  await resize(call, "id", change, false);
  expect(asked).toEqual([set]);
});

test("with the setting the checkpoint comes first, and nothing is changed without it", async () => {
  const kept = [
    "checkpoints.create",
    { machine: "id", note: "before resizing" },
  ];
  const good = recording();
  await resize(good.call, "id", change, true);
  expect(good.asked).toEqual([kept, set]);
  const full = recording("checkpoints.create");
  await expect(resize(full.call, "id", change, true)).rejects.toThrow("full");
  expect(full.asked).toEqual([kept]);
});
