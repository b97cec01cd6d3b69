import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createLog } from "../../src/base/log.ts";
import {
  type Handlers,
  methods,
  type MethodName,
} from "../../src/protocol/contract.ts";
import { refused } from "../../src/protocol/failure.ts";
import { createClient, type RpcClient } from "../../src/rpc/call.ts";
import { type Peer, serve } from "../../src/rpc/serve.ts";
import { scratch } from "../fakes/scratch.ts";

let server: Server;
let client: RpcClient;
let peer: Peer;
let serverSocket: Socket;
const logged: string[] = [];
const seen: { aborted: boolean }[] = [];

/** Every method answers as its test needs; all others must not be called. */
function handlers(some: Partial<Handlers>): Handlers {
  const others = Object.keys(methods).map((name) => [
    name,
    () => Promise.reject(new Error(`unexpected ${name}`)),
  ]);
  return { ...(Object.fromEntries(others) as Handlers), ...some };
}

async function converse(some: Partial<Handlers>): Promise<void> {
  const path = join(await scratch(), "s");
  const connected = new Promise<void>((resolve) => {
    server = createServer((socket) => {
      serverSocket = socket;
      peer = serve(
        socket,
        handlers(some),
        createLog((line) => logged.push(line)),
        { answered: () => undefined, closed: () => undefined },
      );
      resolve();
    });
  });
  server.listen(path);
  await once(server, "listening");
  const socket = connect(path);
  await once(socket, "connect");
  client = createClient(socket);
  await connected;
}

beforeEach(() => {
  logged.length = 0;
  seen.length = 0;
});
afterEach(() => {
  client.close();
  server.close();
});

describe("requests", () => {
  test("a failure arrives with kind, code, remedy and the request's id", async () => {
    await converse({
      "machines.show": () =>
        Promise.reject(
          refused("machines.unknown", "There is no machine “x”.", {
            remedy: "Create one.",
          }),
        ),
    });
    await expect(
      client.call("machines.show", { machine: "x" }),
    ).rejects.toMatchObject({
      failure: {
        kind: "refused",
        code: "machines.unknown",
        message: "There is no machine “x”.",
        remedy: "Create one.",
        requestId: expect.stringMatching(/^r\d+$/) as string,
      },
    });
  });

  test("an unknown error becomes a bug here, and its cause stays in the log", async () => {
    await converse({
      "machines.list": () => Promise.reject(new TypeError("boom")),
    });
    await expect(client.call("machines.list", {})).rejects.toMatchObject({
      failure: { kind: "bug", code: "internal.bug" },
    });
    expect(logged.join("\n")).toMatch(
      /"cause":\{"name":"TypeError","message":"boom","stack":/,
    );
  });

  test("a full disk and missing permission are told as such, wherever they happen", async () => {
    const thrown = (code: string): Error =>
      Object.assign(new Error(code), { code });
    await converse({
      "images.list": () => Promise.reject(thrown("ENOSPC")),
      "machines.list": () => Promise.reject(thrown("EACCES")),
    });
    await expect(client.call("images.list", {})).rejects.toMatchObject({
      failure: { code: "host.diskFull" },
    });
    await expect(client.call("machines.list", {})).rejects.toMatchObject({
      failure: { code: "host.permission" },
    });
  });

  test("params are checked before a handler sees them", async () => {
    await converse({});
    await expect(
      client.call("machines.create", { memoryMiB: 3 }),
    ).rejects.toMatchObject({
      failure: { kind: "refused", code: "request.invalid" },
    });
  });

  test("cancelling reaches the handler and ends as cancelled", async () => {
    await converse({
      "machines.start": (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => {
            seen.push({ aborted: true });
            reject(signal.reason as Error);
          });
        }),
    });
    const controller = new AbortController();
    const pending = client.call(
      "machines.start",
      { machine: "x" },
      controller.signal,
    );
    setTimeout(() => controller.abort(), 50);
    await expect(pending).rejects.toMatchObject({
      failure: { kind: "cancelled" },
    });
    expect(seen).toEqual([{ aborted: true }]);
  });

  test.each([
    ["a request", 1],
    ["requests larger than what a socket holds", 1 << 20],
  ])(
    "%s, before, while and after the connection breaks: all fail alike (F52)",
    async (_name, length) => {
      await converse({ "machines.list": () => new Promise(() => undefined) });
      const outcomes: Promise<unknown>[] = [];
      const ask = (): void => {
        outcomes.push(
          client.call("machines.show", { machine: "x".repeat(length) }).then(
            () => "answered",
            (error: unknown) => error,
          ),
        );
      };
      serverSocket.pause();
      if (length > 1) ask();
      await new Promise((wake) => setTimeout(wake, 50));
      serverSocket.destroy();
      for (let i = 0; i < 20; i++) {
        ask();
        if (i > 5) await new Promise((wake) => setImmediate(wake));
      }
      for (const outcome of await Promise.all(outcomes))
        expect(outcome).toMatchObject({
          failure: { code: "helper.unreachable" },
        });
    },
  );

  test("a connection that breaks ends every pending request with a remedy", async () => {
    await converse({ "machines.list": () => new Promise(() => undefined) });
    const pending = client.call("machines.list", {});
    setTimeout(() => serverSocket.destroy(), 50);
    await expect(pending).rejects.toMatchObject({
      failure: { code: "helper.unreachable", actions: ["retry", "showLog"] },
    });
    await client.closed;
  });

  test("answers may overtake each other", async () => {
    await converse({
      "machines.log": async ({ machine }) => {
        await new Promise((wake) =>
          setTimeout(wake, machine === "slow" ? 80 : 1),
        );
        return { id: machine, text: "", nextOffset: 0, complete: true };
      },
    });
    const order: string[] = [];
    await Promise.all(
      ["slow", "fast"].map(async (machine) =>
        order.push((await client.call("machines.log", { machine })).id),
      ),
    );
    expect(order).toEqual(["fast", "slow"]);
  });
});

describe("notices", () => {
  test("reach every listener, in order, until it stops listening", async () => {
    await converse({
      "machines.list": () => Promise.resolve({ machines: [] }),
    });
    const heard: number[] = [];
    const stop = client.onNotice("machines.removed", ({ revision }) =>
      heard.push(revision),
    );
    for (let revision = 1; revision <= 3; revision++)
      peer.notify("machines.removed", { id: "a", name: "a", revision });
    await client.call("machines.list", {});
    stop();
    peer.notify("machines.removed", { id: "a", name: "a", revision: 4 });
    await client.call("machines.list", {});
    expect(heard).toEqual([1, 2, 3]);
  });

  test("telling a client that has gone harms nobody", async () => {
    await converse({});
    client.close();
    await client.closed;
    expect(() =>
      peer.notify("machines.removed", { id: "a", name: "a", revision: 1 }),
    ).not.toThrow();
  });
});

test("every method of the contract has params and result", () => {
  for (const name of Object.keys(methods) as MethodName[]) {
    // camelCase both: the prefix is a file of the contract.
    expect(name).toMatch(/^[a-z]+(?:[A-Z][a-z]+)*\.[a-z][A-Za-z]+$/);
    expect(methods[name].params.safeParse(undefined).success).toBe(false);
    expect(methods[name].result).toBeDefined();
  }
});
