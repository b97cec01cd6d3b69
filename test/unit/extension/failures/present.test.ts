import { beforeEach, expect, test, vi } from "vitest";
import { presentFailure } from "../../../../src/extension/failures/present.ts";
import type { Failure } from "../../../../src/protocol/failure.ts";
import { asked, executed, presses } from "../../../fakes/vscode.ts";

vi.mock("vscode", () => import("../../../fakes/vscode.ts"));

const failure: Failure = {
  kind: "failed",
  code: "workspaces.commandFailed",
  message: "postCreateCommand ended with exit code 7.",
  actions: ["retry", "showLog"],
};
let again: number;
const present = (kind: "workspace" | "machine"): Promise<void> =>
  presentFailure(failure, { kind, id: "/w/web" }, () => {
    again += 1;
    return Promise.resolve();
  });
const offered = (): (string | undefined)[] => asked.map(({ detail }) => detail);

beforeEach(() => {
  for (const list of [asked, presses, executed]) list.length = 0;
  again = 0;
});

test("a folder's failed setup: who has read the log is still offered to try again", async () => {
  presses.push("Show Log", "Try Again");
  await present("workspace");
  expect(offered()).toEqual(["Try Again, Show Log", "Try Again"]);
  expect(executed).toEqual([["guesthouse.showWorkspaceLog", "/w/web"]]);
  expect(again).toBe(1);
});

test("any other failure is told once", async () => {
  presses.push("Show Log");
  await present("machine");
  expect(offered()).toEqual(["Try Again, Show Log"]);
});
