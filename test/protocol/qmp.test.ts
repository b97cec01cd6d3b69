import { afterEach, expect, test } from "vitest";
import { GuesthouseError } from "../../src/protocol/failure.ts";
import { type QmpEvent, connectQmp } from "../../src/helper/qemu/qmp.ts";
import {
  type QmpPeer,
  greeting,
  negotiate,
  startQmpPeer,
} from "../fakes/qmpPeer.ts";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function peer(
  script: (peer: QmpPeer) => Promise<void> | void,
): Promise<string> {
  const server = await startQmpPeer(script);
  closers.push(async () => {
    await server.close();
    expect(server.errors).toEqual([]);
  });
  return server.path;
}

/** How a promise failed. */
async function failureOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(GuesthouseError);
  const { failure } = error as GuesthouseError;
  return `${failure.code}: ${failure.message}`;
}

const soon = { timeoutMs: 2_000 };

test("reads the version from the greeting and leaves negotiation mode", async () => {
  const seen: string[] = [];
  const path = await peer(async (qemu) => {
    qemu.sendJson(greeting);
    const { execute, id } = await qemu.command();
    seen.push(execute);
    qemu.sendJson({ return: {}, id });
  });
  const qmp = await connectQmp(path, soon);
  expect(qmp.version).toEqual({ major: 7, minor: 2, micro: 22 });
  expect(seen).toEqual(["qmp_capabilities"]);
  qmp.close();
  await qmp.closed;
});

test("sends arguments and gives the return value back", async () => {
  const path = await peer(async (qemu) => {
    await negotiate(qemu);
    const command = await qemu.command();
    qemu.sendJson({ return: command.arguments, id: command.id });
  });
  const qmp = await connectQmp(path, soon);
  expect(await qmp.execute("echo", { text: "grüße" })).toEqual({
    text: "grüße",
  });
  qmp.close();
});

test("gives up when nobody greets", async () => {
  const path = await peer(() => undefined);
  expect(await failureOf(connectQmp(path, { timeoutMs: 100 }))).toMatch(
    /^qemu.monitor: .*no usable answer within 100 ms/,
  );
});

test("gives up when the capabilities are never acknowledged", async () => {
  const path = await peer((qemu) => qemu.sendJson(greeting));
  expect(await failureOf(connectQmp(path, { timeoutMs: 100 }))).toMatch(
    /^qemu.monitor: /,
  );
});

test("says that nobody listens", async () => {
  expect(
    await failureOf(connectQmp("/nonexistent/guesthouse/qmp", soon)),
  ).toMatch(/^qemu.monitor: .*ENOENT/);
});

test.each([
  ["not JSON", "SSH-2.0-OpenSSH_9.2\r\n"],
  ["JSON of another kind", '{"hello":"world"}\r\n'],
  ["a number", "42\r\n"],
])("refuses a far end that speaks %s", async (_, line) => {
  const path = await peer((qemu) => qemu.send(line));
  expect(await failureOf(connectQmp(path, soon))).toMatch(
    /^qemu.monitor: .*not QMP/,
  );
});

test("joins lines that arrive in pieces, even inside a character", async () => {
  const path = await peer(async (qemu) => {
    await negotiate(qemu);
    const { id } = await qemu.command();
    const bytes = Buffer.from(
      `${JSON.stringify({ return: "Gästehaus", id })}\r\n`,
    );
    for (const byte of bytes) {
      qemu.send(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
  const qmp = await connectQmp(path, soon);
  expect(await qmp.execute("name")).toBe("Gästehaus");
  qmp.close();
});

test("tells events from answers, whatever their order", async () => {
  const event = (name: string) => ({
    event: name,
    data: { guest: false },
    timestamp: { seconds: 1, microseconds: 500_000 },
  });
  const path = await peer(async (qemu) => {
    await negotiate(qemu);
    const first = await qemu.command();
    const second = await qemu.command();
    // Everything in one chunk, answers out of order.
    qemu.send(
      [
        event("STOP"),
        { return: "second", id: second.id },
        event("RESUME"),
        { return: "first", id: first.id },
      ]
        .map((value) => `${JSON.stringify(value)}\r\n`)
        .join(""),
    );
  });
  const qmp = await connectQmp(path, soon);
  const events: QmpEvent[] = [];
  qmp.onEvent((seen) => events.push(seen));
  expect(await Promise.all([qmp.execute("one"), qmp.execute("two")])).toEqual([
    "first",
    "second",
  ]);
  expect(events).toEqual([
    { event: "STOP", data: { guest: false }, atMs: 1500 },
    { event: "RESUME", data: { guest: false }, atMs: 1500 },
  ]);
  qmp.close();
});

test("keeps events that came before the first listener", async () => {
  const path = await peer(async (qemu) => {
    await negotiate(qemu);
    qemu.sendJson({
      event: "SHUTDOWN",
      timestamp: { seconds: 0, microseconds: 0 },
    });
    await qemu.answer("done");
  });
  const qmp = await connectQmp(path, soon);
  await qmp.execute("anything");
  const events: string[] = [];
  const dispose = qmp.onEvent(({ event }) => events.push(event));
  expect(events).toEqual(["SHUTDOWN"]);
  await dispose();
  qmp.onEvent(({ event }) => events.push(event));
  expect(events).toEqual(["SHUTDOWN"]);
  qmp.close();
});

test("turns QEMU's refusal into a failure that keeps its class", async () => {
  const path = await peer(async (qemu) => {
    await negotiate(qemu);
    const { id } = await qemu.command();
    qemu.sendJson({
      error: { class: "DeviceNotFound", desc: "Device 'x' not found" },
      id,
    });
  });
  const qmp = await connectQmp(path, soon);
  const error: unknown = await qmp
    .execute("device_del")
    .catch((reason: unknown) => reason);
  expect(error).toMatchObject({
    failure: {
      code: "qemu.monitor",
      message: "QEMU refused device_del: Device 'x' not found",
    },
    cause: { errorClass: "DeviceNotFound" },
  });
  qmp.close();
});

test("a command that takes too long fails alone, and its late answer goes to nobody", async () => {
  let answerLate = (): void => undefined;
  const path = await peer(async (qemu) => {
    await negotiate(qemu);
    const slow = await qemu.command();
    answerLate = () => qemu.sendJson({ return: "late", id: slow.id });
    const next = await qemu.command();
    answerLate();
    qemu.sendJson({ return: "next", id: next.id });
  });
  const qmp = await connectQmp(path, soon);
  expect(
    await failureOf(qmp.execute("slow", undefined, { timeoutMs: 50 })),
  ).toBe("qemu.monitor: QEMU did not answer slow within 50 ms.");
  expect(await qmp.execute("next")).toBe("next");
  qmp.close();
});

test("a connection that ends mid-command fails it and everything after", async () => {
  const path = await peer(async (qemu) => {
    await negotiate(qemu);
    await qemu.command();
    qemu.end();
  });
  const qmp = await connectQmp(path, soon);
  expect(await failureOf(qmp.execute("doomed"))).toMatch(
    /closed its monitor|ECONNRESET/,
  );
  await qmp.closed;
  expect(await failureOf(qmp.execute("after"))).toMatch(/^qemu.monitor/);
});

test("garbage after the negotiation ends the connection", async () => {
  const path = await peer(async (qemu) => {
    await negotiate(qemu);
    await qemu.command();
    qemu.send("\u0000\u0001\r\n");
  });
  const qmp = await connectQmp(path, soon);
  expect(await failureOf(qmp.execute("doomed"))).toMatch(/not QMP/);
  await qmp.closed;
});

test("a cancelled command rejects at once and leaves the connection usable", async () => {
  const path = await peer(async (qemu) => {
    await negotiate(qemu);
    await qemu.command();
    await qemu.answer("still here");
  });
  const qmp = await connectQmp(path, soon);
  const controller = new AbortController();
  const doomed = qmp.execute("forever", undefined, {}, controller.signal);
  controller.abort();
  expect(await failureOf(doomed)).toMatch(/^request.cancelled/);
  expect(await qmp.execute("next")).toBe("still here");
  expect(
    await failureOf(qmp.execute("never", undefined, {}, controller.signal)),
  ).toMatch(/^request.cancelled/);
  qmp.close();
});

test("cancelling the connect closes it", async () => {
  let gone = (): void => undefined;
  const left = new Promise<void>((done) => (gone = done));
  const path = await peer(async (qemu) => {
    await qemu.gone;
    gone();
  });
  const controller = new AbortController();
  const connecting = connectQmp(path, soon, controller.signal);
  setTimeout(() => controller.abort(), 50);
  expect(await failureOf(connecting)).toMatch(/^request.cancelled/);
  await left;
});

test("closing fails what is under way, once, and says so", async () => {
  const path = await peer(async (qemu) => {
    await negotiate(qemu);
    await qemu.command();
  });
  const qmp = await connectQmp(path, soon);
  const doomed = qmp.execute("doomed");
  qmp.close();
  qmp.close();
  expect(await failureOf(doomed)).toMatch(/was closed/);
  await qmp.closed;
});
