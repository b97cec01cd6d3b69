import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createRecords } from "../../../../src/extension/helper/records.ts";
import { consentsIn } from "../../../../src/extension/workspaces/consent.ts";
import { chooseConfig } from "../../../../src/extension/workspaces/chooseConfig.ts";
import type { OpenDeps } from "../../../../src/extension/workspaces/open.ts";
import { rebuildCommands } from "../../../../src/extension/workspaces/rebuildCommands.ts";
import { vmCommands } from "../../../../src/extension/workspaces/vmCommands.ts";
import { placeKey } from "../../../../src/extension/workspaces/folders.ts";
import type { Workspace } from "../../../../src/protocol/workspaces.ts";
import {
  env,
  executed,
  picks,
  presses,
  Uri,
  workspace,
} from "../../../fakes/vscode.ts";
import { memento } from "../memento.ts";

vi.mock("vscode", () => import("../../../fakes/vscode.ts"));

const configOf = (name: string): string =>
  `.devcontainer/${name}/devcontainer.json`;
const known = (name: string): Workspace => ({
  id: name.padEnd(16, "0"),
  alias: `gh-${name}`,
  title: name,
  folder: "/w/shop",
  config: configOf(name),
  machine: { id: `m-${name}`, name },
  state: { kind: "ready" },
  logPath: "/l",
  revision: 1,
});
const workspaces = createRecords<Workspace>({
  keyOf: ({ id }) => id,
  keysAreReused: true,
});
for (const name of ["go", "rust"]) workspaces.put(known(name));

/** What the helper was asked, and what was opened. */
const calls: (readonly [string, Record<string, unknown>])[] = [];
const opened: unknown[] = [];
const deps = {
  call: (method: string, params: Record<string, string>) => {
    calls.push([method, params]);
    const name = params["machine"] ?? params["config"] ?? "";
    return Promise.resolve(
      method === "workspaces.configs"
        ? {
            configs: [
              { path: configOf("go"), name: "Go", kind: "compose" },
              { path: configOf("rust"), kind: "image", of: "acme/rust:1" },
            ],
          }
        : method === "workspaces.read"
          ? { digest: "d", warnings: [], localVariables: [], secrets: [] }
          : method === "machines.show"
            ? { machine: { alias: name, folder: { guest: "/w/in/vm" } } }
            : {
                workspace: { machine: { id: `m-${name}` } },
                remoteFolder: "/workspaces/shop",
                notes: [],
              },
    );
  },
  onNotice: () => () => undefined,
  workspaces,
  settings: () => ({ files: "copy", openIn: "newWindow" }),
  consents: consentsIn(memento()),
  secrets: {},
  serverFolder: () => Promise.resolve(undefined),
  isTrusted: () => true,
  open: (...what: unknown[]) => {
    opened.push(what);
    return Promise.resolve();
  },
  loaded: () => Promise.resolve(),
} as unknown as OpenDeps & { loaded: () => Promise<void> };

const openWindow = (authority: string): void => {
  env.remoteName = "ssh-remote";
  workspace.workspaceFolders = [
    {
      uri: { authority, fsPath: "/workspaces/shop", scheme: "vscode-remote" },
    },
  ];
};
const asksOf = (method: string): Record<string, unknown>[] =>
  calls.filter(([each]) => each === method).map(([, params]) => params);

beforeEach(() => {
  for (const list of [calls, opened, picks, presses, executed]) list.length = 0;
});
afterEach(() => {
  env.remoteName = undefined;
  workspace.workspaceFolders = [];
});

test("a window in a container rebuilds that container, by the configuration that it was made of", async () => {
  openWindow("ssh-remote+gh-rust");
  await rebuildCommands(deps)["guesthouse.rebuildContainer"]();
  expect(picks).toEqual([]);
  expect(asksOf("workspaces.up")).toMatchObject([
    { folder: "/w/shop", config: configOf("rust"), container: "fresh" },
  ]);
  expect(opened).toMatchObject([
    [{}, { folder: { path: "/workspaces/shop" }, openIn: "currentWindow" }],
  ]);
});

test("so does one that was opened in the VM around it", async () => {
  openWindow("ssh-remote+gh-go-vm");
  await rebuildCommands(deps)["guesthouse.rebuildContainer"]();
  expect(asksOf("workspaces.up")).toMatchObject([{ config: configOf("go") }]);
});

test("of several configurations one is picked, by its name and what it makes", async () => {
  presses.push("rust");
  expect(await chooseConfig(deps.call, { folder: "/w/shop" })).toEqual({
    folder: "/w/shop",
    config: configOf("rust"),
  });
  expect(picks).toEqual([
    [
      `Go · Compose · ${configOf("go")}`,
      `rust · container image acme/rust:1 · ${configOf("rust")}`,
    ],
  ]);
  expect(await chooseConfig(deps.call, { folder: "/w/shop" })).toBeUndefined();
});

test("a container that didn't come up leaves its VM to open, at the folder's copy", async () => {
  await vmCommands(deps)["guesthouse.openVmOfFolder"](placeKey(known("go")));
  expect(asksOf("machines.show")).toEqual([{ machine: "m-go" }]);
  expect(opened).toMatchObject([
    [{}, { folder: { path: "/w/in/vm" }, around: "container" }],
  ]);
});

test("a window in a container opens the file that a rebuild reads; of a clone, the one in the window", async () => {
  openWindow("ssh-remote+gh-go");
  await vmCommands(deps)["guesthouse.openConfiguration"]();
  workspaces.put({ ...known("go"), url: "https://a/b.git", revision: 2 });
  await vmCommands(deps)["guesthouse.openConfiguration"]();
  workspaces.put({ ...known("go"), revision: 3 });
  expect(executed).toEqual([
    ["vscode.open", Uri.file(`/w/shop/${configOf("go")}`)],
    [
      "vscode.open",
      new Uri("vscode-remote", `/workspaces/shop/${configOf("go")}`),
    ],
  ]);
});
