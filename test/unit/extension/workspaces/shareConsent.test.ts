import { expect, test, vi } from "vitest";
import { consentsIn } from "../../../../src/extension/workspaces/consent.ts";
import { askFiles } from "../../../../src/extension/workspaces/shareConsent.ts";
import { asked, presses } from "../../../fakes/vscode.ts";
import { memento } from "../memento.ts";

vi.mock("vscode", () => import("../../../fakes/vscode.ts"));

const read = { files: "share", digest: "d1" } as const;
const trusting = { isTrusted: true, usual: "copy" } as const;

test("a folder that wants to be mounted says what that opens, and is mounted only where the user says so", async () => {
  const consents = consentsIn(memento());
  const ask = () => askFiles(read, "/w/web", trusting, consents);
  presses.push("Copy It", "Mount Read-Only", undefined, "Mount the Folder");
  expect(await ask()).toEqual({ files: "copy" });
  expect(asked[0]?.detail).toContain(".git");
  expect(await ask()).toEqual({ files: "share-readonly" });
  expect(await ask()).toBeUndefined();
  expect(await ask()).toEqual({ files: "share" });
  expect(await ask()).toEqual({ files: "share" });
  expect(asked).toHaveLength(4);
  presses.push(undefined);
  const changed = { ...read, digest: "d2" };
  expect(await askFiles(changed, "/w/web", trusting, consents)).toBeUndefined();
});

test("the user's own setting asks nothing, and counts for no folder that isn't trusted", async () => {
  const consents = consentsIn(memento());
  const ask = (isTrusted: boolean) =>
    askFiles(read, "/w/web", { isTrusted, usual: "share" }, consents);
  asked.length = 0;
  expect(await ask(true)).toEqual({});
  expect(await ask(false)).toEqual({ files: "copy" });
  expect(asked).toEqual([]);
});
