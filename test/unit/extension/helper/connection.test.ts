import { mkdtemp, rm } from "node:fs/promises";
import type { Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sleep } from "../../../../src/base/deadline.ts";
import { Connection } from "../../../../src/extension/helper/connection.ts";
import { machineRecords } from "../../../../src/extension/machines/sync.ts";
import { failed, toFailure } from "../../../../src/protocol/failure.ts";
import type { HelperStatus } from "../../../../src/protocol/helper.ts";
import type { Machine } from "../../../../src/protocol/machines.ts";
import { createClient } from "../../../../src/rpc/call.ts";
import {
  dial,
  listen,
  messageConnection,
} from "../../../../src/rpc/transport.ts";
import { machine } from "../samples.ts";

const status: HelperStatus = {
  version: "0.1.0",
  protocol: 1,
  pid: 1,
  home: "/data",
  socket: "/data/run/helper",
  startedAt: "2026-03-01T12:00:00Z",
  clients: 1,
  busy: false,
  machinesRunning: 0,
  memoryBytes: 0,
};

/** A helper at the far end of a real socket that knows machines and nothing else. */
class FarEnd {
  machines: Machine[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #peers = new Set<ReturnType<typeof messageConnection>>();
  #server: Server | undefined;

  async start(path: string): Promise<void> {
    this.#server = await listen(path, (socket) => {
      const peer = messageConnection(socket);
      peer.onRequest("machines.list", () => ({ machines: this.machines }));
      peer.onRequest("helper.stop", () => {
        setTimeout(() => this.lose(), 1);
        return { pid: 1 };
      });
      peer.listen();
      this.#sockets.add(socket);
      this.#peers.add(peer);
      socket.on("close", () => {
        peer.dispose();
        this.#peers.delete(peer);
        this.#sockets.delete(socket);
      });
    });
  }
  notify(name: string, params: unknown): void {
    for (const peer of this.#peers) void peer.sendNotification(name, params);
  }
  /** Ends all connections, as a helper that is killed does. */
  lose(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
  async stop(): Promise<void> {
    this.lose();
    await new Promise((resolve) => this.#server?.close(resolve));
  }
}

let folder: string;
let farEnd: FarEnd;
let connection: Connection;
let opened: number;
let failures: number;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gh-conn-"));
  farEnd = new FarEnd();
  opened = 0;
  failures = 0;
  await farEnd.start(join(folder, "s"));
  connection = new Connection({
    open: async (signal) => {
      opened++;
      if (failures-- > 0)
        throw failed("helper.unreachable", "The helper did not start.");
      const socket = await dial(join(folder, "s"), 1_000, signal);
      return { client: createClient(socket), status };
    },
    toFailure: (error) => Promise.resolve(toFailure(error)),
    sleep,
    backOffMs: [1, 1, 1],
  });
});

afterEach(async () => {
  connection.dispose();
  await farEnd.stop();
  await rm(folder, { recursive: true });
});

const until = async (holds: () => boolean): Promise<void> => {
  for (let i = 0; i < 400 && !holds(); i++) await sleep(5);
  expect(holds()).toBe(true);
};

test("nothing is connected before the first request, and all share one connection", async () => {
  expect([opened, connection.state.kind]).toEqual([0, "idle"]);
  await Promise.all([
    connection.call("machines.list", {}),
    connection.call("machines.list", {}),
    connection.settled(),
  ]);
  expect([opened, connection.state.kind]).toEqual([1, "connected"]);
});

test("records come with the list and change by notices", async () => {
  const records = machineRecords(connection);
  farEnd.machines = [machine({ revision: 10 })];
  await connection.settled();
  expect(records.all().map(({ name }) => name)).toEqual(["debian-12"]);
  farEnd.notify("machines.changed", {
    machine: machine({ name: "web", revision: 11 }),
  });
  await until(() => records.get("0123456789ab")?.name === "web");
  farEnd.notify("machines.removed", {
    id: "0123456789ab",
    name: "web",
    revision: 12,
  });
  await until(() => records.all().length === 0);
});

test("a lost helper is found again, the list is fresh and notices go on (B14, B20)", async () => {
  const records = machineRecords(connection);
  farEnd.machines = [machine({ revision: 10, name: "before" })];
  await connection.settled();
  farEnd.machines = [machine({ revision: 2, name: "after" })];
  failures = 2;
  farEnd.lose();
  await until(() => records.all()[0]?.name === "after");
  expect(opened).toBe(4);
  farEnd.notify("machines.changed", {
    machine: machine({ name: "noticed", revision: 3 }),
  });
  await until(() => records.all()[0]?.name === "noticed");
});

test("only the last try's failure is told, and the next request tries anew", async () => {
  const states: string[] = [];
  await connection.connect();
  connection.onDidChangeState(({ kind }) => states.push(kind));
  failures = 3;
  farEnd.lose();
  await until(() => states.includes("failed"));
  expect(states.filter((kind) => kind === "failed")).toHaveLength(1);
  await connection.call("machines.list", {});
  expect(connection.state.kind).toBe("connected");
});

test("a helper that can't be started fails the request with its failure", async () => {
  failures = 1;
  await expect(connection.call("machines.list", {})).rejects.toMatchObject({
    failure: { code: "helper.unreachable" },
  });
  expect(connection.state.kind).toBe("failed");
});

test("a restart asks the helper to hand over and connects to the next one (B20)", async () => {
  await connection.connect();
  await connection.restart();
  expect([opened, connection.state.kind]).toEqual([2, "connected"]);
});

test("after the window let go nothing connects any more", async () => {
  await connection.connect();
  connection.dispose();
  await sleep(20);
  expect([opened, connection.state.kind]).toEqual([1, "idle"]);
});

test("a list that can't be read is told, and a refresh that can read it takes that back", async () => {
  let broken = true;
  connection.onConnected(() => {
    if (broken) throw failed("host.permission", "No.");
  });
  await connection.settled();
  expect(connection.state).toMatchObject({
    kind: "failed",
    failure: { code: "host.permission" },
  });
  broken = false;
  await connection.refresh();
  expect(connection.state.kind).toBe("connected");
});

test("a refresh reads the list again on the same connection", async () => {
  const records = machineRecords(connection);
  await connection.settled();
  farEnd.machines = [machine()];
  await connection.refresh();
  expect([opened, records.all().length]).toEqual([1, 1]);
});
