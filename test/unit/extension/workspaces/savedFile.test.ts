import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { createRecords } from "../../../../src/extension/helper/records.ts";
import { offerSavedFile } from "../../../../src/extension/workspaces/savedFile.ts";
import type { Workspace } from "../../../../src/protocol/workspaces.ts";
import {
  asked,
  env,
  executed,
  forget,
  presses,
  save,
  Uri,
  workspace,
} from "../../../fakes/vscode.ts";

vi.mock("vscode", () => import("../../../fakes/vscode.ts"));

const config = ".devcontainer/devcontainer.json";
const ofHost = Uri.file(`/w/web/${config}`);
const ofVm = new Uri("vscode-remote", `/workspaces/web/${config}`);

/** A window in the VM of this workspace. */
function opened(change: Partial<Workspace> = {}): void {
  const records = createRecords<Workspace>({
    keyOf: ({ id }) => id,
    keysAreReused: false,
  });
  records.put({
    id: "0".repeat(16),
    alias: "gh-web",
    title: "web",
    folder: "/w/web",
    config,
    files: "copy",
    state: { kind: "ready" },
    logPath: "/data/logs/workspace.log",
    revision: 1,
    ...change,
  });
  onTestFinished(offerSavedFile(records));
}

beforeEach(() => {
  forget();
  env.remoteName = "ssh-remote";
  workspace.workspaceFolders = [
    {
      uri: {
        ...{ authority: "ssh-remote+gh-web", scheme: "vscode-remote" },
        ...{ fsPath: "/workspaces/web", path: "/workspaces/web" },
      },
    },
  ];
});

test("this computer's file is offered to be applied, each time it is saved", async () => {
  opened();
  presses.push("Apply", undefined);
  save(ofHost);
  await vi.waitFor(() =>
    expect(executed).toEqual([
      ["guesthouse.openFolderInMachine", { folder: "/w/web", config }],
    ]),
  );
  save(ofHost);
  expect(asked).toEqual(
    Array.from({ length: 2 }, () => ({
      message: `${config} was changed. Apply it to the VM now?`,
      detail: "Apply",
    })),
  );
});

test("so is the one in a folder that is shared", () => {
  opened({ files: "share" });
  save(ofVm);
  expect(asked.map(({ detail }) => detail)).toEqual(["Apply"]);
});

test("of the VM's copy the window says what it is, once, and leads to the file that counts", async () => {
  opened();
  presses.push("Open the File on This Computer");
  save(ofVm);
  await vi.waitFor(() =>
    expect(executed).toEqual([["guesthouse.openConfiguration"]]),
  );
  save(ofVm);
  expect(asked).toHaveLength(1);
});

test("no other file, window or branch is asked about", () => {
  opened();
  save(Uri.file("/w/other/.devcontainer/devcontainer.json"));
  save(new Uri("vscode-remote", "/workspaces/web/package.json"));
  env.remoteName = undefined;
  save(ofHost);
  env.remoteName = "ssh-remote";
  workspace.workspaceFolders = [];
  save(ofHost);
  expect(asked).toEqual([]);
});

test("nor is a branch's, which is read from the repository", () => {
  opened({ branch: "main" });
  save(ofHost);
  save(ofVm);
  expect(asked).toEqual([]);
});
