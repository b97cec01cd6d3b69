import type { Memento } from "vscode";
import { beforeEach, expect, test, vi } from "vitest";
import { createEmitter } from "../../../../src/base/emitter.ts";
import type {
  Call,
  OnNotice,
} from "../../../../src/extension/helper/connection.ts";
import { BootLogs } from "../../../../src/extension/machines/bootLogs.ts";
import { createRecords } from "../../../../src/extension/helper/records.ts";
import type { NoticeParams } from "../../../../src/protocol/contract.ts";
import type { Machine } from "../../../../src/protocol/machines.ts";
import { channels } from "../../../fakes/vscode.ts";
import { machine, nowMs } from "../samples.ts";

vi.mock("vscode", () => import("../../../fakes/vscode.ts"));

const { id } = machine();
const starting: Machine["state"] = {
  kind: "starting",
  stage: "kernel",
  sinceMs: nowMs,
};

/** What survives a reload of the window: the log on disk and the workspace's memory. */
let file: string;
let memory: Map<string, unknown>;

/** A window, freshly loaded. */
function openWindow() {
  const machines = createRecords<Machine>({
    keyOf: (record) => record.id,
    keysAreReused: false,
  });
  const logged = createEmitter<NoticeParams<"machines.logged">>();
  const memento: Memento = {
    keys: () => [...memory.keys()],
    get: <T>(key: string, otherwise?: T) => (memory.get(key) ?? otherwise) as T,
    update: (key, value) => Promise.resolve(void memory.set(key, value)),
  };
  const call = ((_method: "machines.log", { offset = 0 }) =>
    Promise.resolve({
      id,
      text: file.slice(offset),
      nextOffset: file.length,
      complete: true,
    })) as unknown as Call;
  const onNotice = ((_name: "machines.logged", listener: never) =>
    logged.on(listener)) as unknown as OnNotice;
  const logs = new BootLogs({ call, onNotice, machines, memento });
  return {
    logs,
    machines,
    grow: (text: string): void => {
      const offset = file.length;
      file += text;
      logged.fire({ id, offset, text });
    },
  };
}

const settled = (): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, 0));

beforeEach(() => {
  file = "── boot ──\n";
  memory = new Map();
  channels.clear();
});

test("a machine that boots gets a channel, live, without taking the screen (B9)", async () => {
  const { machines, grow } = openWindow();
  machines.put(machine({ state: starting }));
  await settled();
  grow("[    0.000000] Linux version\r\n");
  const channel = channels.get("Guesthouse: debian-12");
  expect(channel?.text).toBe("── boot ──\n[    0.000000] Linux version\n");
  expect(channel?.shown).toBe(false);
});

test("a machine that doesn't boot gets a channel when its log is asked for", async () => {
  const { logs, machines } = openWindow();
  machines.put(machine());
  expect(channels.size).toBe(0);
  await logs.show(id, "debian-12");
  expect(channels.get("Guesthouse: debian-12")).toMatchObject({
    text: "── boot ──\n",
    shown: true,
  });
});

test("after a reload the channels are there again, whole", async () => {
  const before = openWindow();
  before.machines.put(machine({ state: starting }));
  await settled();
  before.logs.dispose();
  channels.clear();
  file += "what came meanwhile\n";
  const after = openWindow();
  await after.logs.catchUp();
  expect(channels.get("Guesthouse: debian-12")?.text).toBe(
    "── boot ──\nwhat came meanwhile\n",
  );
});

test("the log stays when the machine is gone, and can be opened again (B13)", async () => {
  const { logs, machines } = openWindow();
  machines.put(machine({ state: starting, revision: 1 }));
  await settled();
  machines.remove(id, 2);
  const channel = channels.get("Guesthouse: debian-12");
  expect(channel?.disposed).toBe(false);
  expect(channel?.text).toContain("/data/logs/0123456789ab.log");
  expect(logs.remembered()).toEqual([{ id, name: "debian-12" }]);
});

test("a renamed machine's log moves to a channel of its new name", async () => {
  const { machines } = openWindow();
  machines.put(machine({ state: starting, revision: 1 }));
  await settled();
  machines.put(machine({ name: "web", state: starting, revision: 2 }));
  await settled();
  expect(channels.get("Guesthouse: debian-12")?.disposed).toBe(true);
  expect(channels.get("Guesthouse: web")?.text).toBe("── boot ──\n");
});
