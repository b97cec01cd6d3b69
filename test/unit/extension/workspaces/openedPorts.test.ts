import { createServer, type AddressInfo, type Server } from "node:net";
import { once } from "node:events";
import { beforeEach, expect, test, vi } from "vitest";
import {
  answersNow,
  openPorts,
} from "../../../../src/extension/workspaces/openedPorts.ts";
import type { Forward } from "../../../../src/protocol/forwards.ts";
import type { Workspace } from "../../../../src/protocol/workspaces.ts";
import { memento } from "../memento.ts";
import * as samples from "../samples.ts";

vi.mock("vscode", () => import("../../../fakes/vscode.ts"));

const { runtime } = samples.machine();
const kept = memento();
let forwards: Forward[];
let opened: number[];
let up: Set<number>;
let isTrusted: boolean;
let changed: () => void;

const forward = (hostPort: number, more: Partial<Forward>): Forward => ({
  ...{ hostPort, guestPort: hostPort, protocol: "tcp", ...more },
});
const onDidChange = (listener: (change: never) => void): (() => void) => {
  changed = () => listener({ changed: [], removed: [] } as never);
  return () => undefined;
};

function open(): () => void {
  return openPorts({
    workspaces: { onDidChange },
    machines: {
      onDidChange,
      get: (id) => samples.machine({ id, runtime: { ...runtime!, forwards } }),
    },
    here: () => ({ machine: { id: "m", name: "m" } }) as Workspace,
    isTrusted: () => isTrusted,
    memento: kept,
    answers: (port) => Promise.resolve(up.has(port)),
    open: ({ hostPort }) => {
      opened.push(hostPort);
      return Promise.resolve();
    },
    pauseMs: 5,
  });
}

beforeEach(() => {
  [forwards, opened, up, isTrusted] = [[], [], new Set(), true];
});

test("services' ports open once in a window, when they answer; the container's own are the editor's", async () => {
  const stop = open();
  forwards = [
    forward(1, { host: "web", open: "openBrowser" }),
    forward(2, { open: "openBrowser" }),
    forward(3, { host: "web" }),
    forward(4, { host: "db", open: "openBrowserOnce" }),
  ];
  up = new Set([2, 3, 4]);
  isTrusted = false;
  changed();
  isTrusted = true;
  changed();
  await vi.waitFor(() => expect(opened).toEqual([4]));
  up.add(1);
  await vi.waitFor(() => expect(opened).toEqual([4, 1]));
  changed();
  stop();

  // In the next window of the same VM.
  open();
  changed();
  await vi.waitFor(() => expect(opened).toEqual([4, 1, 1]));
});

test("a port answers when it speaks or keeps a connection open; one that closes at once doesn't", async () => {
  const listening = async (server: Server): Promise<number> => {
    await once(server.listen(0, "127.0.0.1"), "listening");
    server.unref();
    return (server.address() as AddressInfo).port;
  };
  const speaks = await listening(createServer((it) => it.write("hello")));
  const closes = await listening(createServer((it) => it.destroy()));
  const waits = await listening(createServer(() => undefined));
  expect(await Promise.all([speaks, closes, waits].map(answersNow))).toEqual([
    ...[true, false, true],
  ]);
});
