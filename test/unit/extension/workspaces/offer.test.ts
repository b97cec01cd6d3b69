import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import {
  hasConfiguration,
  offerReopening,
} from "../../../../src/extension/workspaces/offer.ts";
import { scratch } from "../../../fakes/scratch.ts";
import {
  asked,
  env,
  executed,
  presses,
  workspace,
} from "../../../fakes/vscode.ts";
import { memento } from "../memento.ts";

vi.mock("vscode", () => import("../../../fakes/vscode.ts"));

let folder: string;
const put = async (path: string): Promise<void> => {
  await mkdir(join(folder, path, ".."), { recursive: true });
  await writeFile(join(folder, path), "{}");
};
const openFolder = (scheme = "file"): void => {
  workspace.workspaceFolders = [
    { uri: { authority: "", fsPath: folder, scheme } },
  ];
};
const never = "Don't Show Again for This Folder";

/** A window that opens the folder; what it asked once it has looked. */
async function openWindow(
  kept = memento(),
  deps: Partial<Parameters<typeof offerReopening>[0]> = {},
): Promise<string[]> {
  asked.length = 0;
  executed.length = 0;
  const stop = offerReopening({
    isWanted: () => true,
    isTrusted: () => true,
    onTrusted: () => ({ dispose: () => undefined }),
    isAskedByOthers: () => false,
    memento: kept,
    ...deps,
  });
  await vi.waitFor(() => expect(executed.length).toBeGreaterThan(0));
  await new Promise((wake) => setTimeout(wake, 20));
  stop();
  return asked.map(({ detail }) => detail ?? "");
}

beforeEach(async () => {
  folder = await scratch();
  presses.length = 0;
  openFolder();
});
afterEach(() => {
  env.remoteName = undefined;
  workspace.workspaceFolders = [];
});

test("a devcontainer.json is found at all three places", async () => {
  expect(await hasConfiguration(folder)).toBe(false);
  await put(".devcontainer/notes.md");
  expect(await hasConfiguration(folder)).toBe(false);
  await put(".devcontainer/rust/devcontainer.json");
  expect(await hasConfiguration(folder)).toBe(true);
  folder = await scratch();
  await put(".devcontainer.json");
  expect(await hasConfiguration(folder)).toBe(true);
});

test("a window offers once to reopen its folder in a VM, and does it", async () => {
  await put(".devcontainer/devcontainer.json");
  presses.push("Reopen in VM");
  expect(await openWindow()).toEqual([`Reopen in VM, ${never}`]);
  expect(executed).toEqual([
    ["setContext", "guesthouse.folder", "configured"],
    ["guesthouse.reopenInMachine", { folder }],
  ]);
});

test("again in the next window, until the user says no for this folder", async () => {
  await put(".devcontainer.json");
  const kept = memento();
  expect(await openWindow(kept)).toHaveLength(1);
  presses.push(never);
  expect(await openWindow(kept)).toHaveLength(1);
  expect(await openWindow(kept)).toEqual([]);
});

test("where Dev Containers asks, too, ours is shown once for a folder", async () => {
  await put(".devcontainer.json");
  const kept = memento();
  const isAskedByOthers = (): boolean => true;
  expect(await openWindow(kept, { isAskedByOthers })).toHaveLength(1);
  expect(await openWindow(kept, { isAskedByOthers })).toEqual([]);
});

test("not where the setting is off, nor before the folder is trusted", async () => {
  await put(".devcontainer.json");
  expect(await openWindow(memento(), { isWanted: () => false })).toEqual([]);
  let isTrusted = false;
  let trust = (): void => undefined;
  const asks = openWindow(memento(), {
    isTrusted: () => isTrusted,
    onTrusted: (listener) => {
      trust = listener;
      return { dispose: () => undefined };
    },
  });
  await vi.waitFor(() => expect(executed).toHaveLength(1));
  expect(asked).toEqual([]);
  isTrusted = true;
  trust();
  await vi.waitFor(() => expect(asked).toHaveLength(1));
  await asks;
});

test("a window in a VM, or on a folder of elsewhere, offers nothing", async () => {
  await put(".devcontainer.json");
  for (const elsewhere of ["ssh-remote", "wsl"]) {
    asked.length = 0;
    env.remoteName = elsewhere;
    openFolder("vscode-remote");
    const stop = offerReopening({
      isWanted: () => true,
      isTrusted: () => true,
      onTrusted: () => ({ dispose: () => undefined }),
      isAskedByOthers: () => false,
      memento: memento(),
    });
    await new Promise((wake) => setTimeout(wake, 50));
    stop();
    expect(asked).toEqual([]);
  }
});
