import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createRecords } from "../../../../src/extension/helper/records.ts";
import { tellFailedSetup } from "../../../../src/extension/workspaces/setupFailures.ts";
import type { Workspace } from "../../../../src/protocol/workspaces.ts";
import {
  asked,
  env,
  executed,
  forget,
  presses,
  workspace,
} from "../../../fakes/vscode.ts";

vi.mock("vscode", () => import("../../../fakes/vscode.ts"));

const outdated =
  ".devcontainer/devcontainer.json has changed what the VM is made of; only a rebuild takes that up.";
const here = (change: Partial<Workspace> = {}): Workspace => ({
  id: "0".repeat(16),
  alias: "gh-web",
  title: "web",
  folder: "/w/web",
  state: { kind: "ready" },
  logPath: "/data/logs/workspace.log",
  revision: 1,
  ...change,
});
const records = createRecords<Workspace>({
  keyOf: ({ id }) => id,
  keysAreReused: false,
});

beforeEach(() => {
  forget();
  env.remoteName = "ssh-remote";
  workspace.workspaceFolders = [
    { uri: { authority: "ssh-remote+gh-web", fsPath: "/workspaces/web" } },
  ];
});
afterEach(() => {
  env.remoteName = undefined;
});

test("a window in a VM that the file has left behind offers a rebuild, once, when the VM is ready", async () => {
  const stop = tellFailedSetup(records);
  records.put(
    here({
      outdated,
      state: { kind: "working", stage: "environment", sinceMs: 0 },
    }),
  );
  expect(asked).toEqual([]);
  presses.push("Rebuild VM…");
  records.put(here({ outdated, revision: 2 }));
  records.put(here({ outdated, revision: 3 }));
  await vi.waitFor(() =>
    expect(executed).toEqual([["guesthouse.rebuildMachine"]]),
  );
  expect(asked).toEqual([{ message: outdated, detail: "Rebuild VM…" }]);
  // It was rebuilt, and the file changed once more.
  records.put(here({ revision: 4 }));
  records.put(here({ outdated, revision: 5 }));
  expect(asked).toHaveLength(2);
  stop();
});

test("no other window does", () => {
  const stop = tellFailedSetup(records);
  workspace.workspaceFolders = [
    { uri: { authority: "ssh-remote+gh-other", fsPath: "/workspaces/web" } },
  ];
  records.put(here({ outdated, revision: 6 }));
  env.remoteName = undefined;
  workspace.workspaceFolders = [{ uri: { authority: "", fsPath: "/w/web" } }];
  records.put(here({ outdated, revision: 7 }));
  expect(asked).toEqual([]);
  stop();
});
