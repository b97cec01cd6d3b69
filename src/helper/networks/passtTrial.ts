import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, type Socket, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as z from "zod";
import { sleep } from "../../base/deadline.ts";
import { toFailure } from "../../protocol/failure.ts";
import {
  arpRequest,
  isArp,
  packed,
  readSegment,
  type Segment,
  tcpFlags,
  tcpFrame,
  unpack,
} from "./frames.ts";
import { gatewayAddress, gatewayMac } from "./guestNetwork.ts";
import {
  passtCommand,
  type PasstMode,
  passtModes,
  type PasstPrograms,
} from "./passt.ts";
import { removePasst, startPasst } from "./passtProcess.ts";
import { freePorts } from "./ports.ts";

/** What one way of running passt did for a guest that was played by us. */
export const passtTrialSchema = z.object({
  mode: z.enum(passtModes),
  /** It answered, and carried a connection to a forwarded port. */
  works: z.boolean(),
  /** No packet came to the host's loopback, not even one that says 127.0.0.1 where it wants to go. */
  closed: z.boolean(),
  /** What a server says first reaches a client that waits in silence. */
  serversSpeakFirst: z.boolean(),
  detail: z.string(),
  tookMs: z.number(),
});
export type PasstTrial = z.infer<typeof passtTrialSchema>;

const guest = { address: "10.0.2.32", mac: "52:54:00:67:68:01", port: 22 };
const answerMs = 2_000;
/** A packet that is let through arrives within milliseconds; one that is dropped never tells. */
const quietMs = 400;
const greeting = "hello from a server\n";

/** Starts passt and plays a guest at its socket, half a second. Never throws but for the signal. */
export async function tryPasst(
  programs: PasstPrograms,
  mode: PasstMode,
  signal?: AbortSignal,
): Promise<PasstTrial> {
  const startedAt = Date.now();
  const result = (
    found: Partial<PasstTrial> & Pick<PasstTrial, "detail">,
  ): PasstTrial => ({
    mode,
    works: false,
    closed: false,
    serversSpeakFirst: false,
    tookMs: Date.now() - startedAt,
    ...found,
  });
  const folder = await mkdtemp(join(tmpdir(), "gh-passt-"));
  const files = {
    socketPath: join(folder, "socket"),
    pidFile: join(folder, "pid"),
  };
  try {
    const [hostPort = 0] = await freePorts(1);
    await startPasst(
      {
        ...files,
        command: passtCommand(programs, mode, {
          ...files,
          guestAddress: guest.address,
          forwards: [{ hostPort, guestPort: guest.port }],
          isRoot: process.getuid?.() === 0,
        }),
        logPath: join(folder, "log"),
        cwd: folder,
      },
      signal,
    );
    try {
      return result(await playGuest(files.socketPath, hostPort, signal));
    } finally {
      await removePasst(files);
    }
  } catch (error) {
    signal?.throwIfAborted();
    return result({ detail: toFailure(error).message });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function playGuest(
  socketPath: string,
  hostPort: number,
  signal: AbortSignal | undefined,
): Promise<Partial<PasstTrial> & Pick<PasstTrial, "detail">> {
  let reached = false;
  const server = createServer((socket) => {
    reached = true;
    socket.destroy();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const wire = connect(socketPath);
  const client = connect(hostPort, "127.0.0.1");
  try {
    const seen = playServer(wire, client);
    wire.write(packed(arpRequest(guest.mac, guest.address, gatewayAddress)));
    for (const [index, target] of [
      gatewayAddress,
      "127.0.0.1",
      "0.0.0.0",
    ].entries())
      send(wire, {
        source: guest.address,
        target,
        sourcePort: 40_000 + index,
        targetPort: port,
        sequence: 1_000,
        acknowledged: 0,
        flags: tcpFlags.syn,
        data: Buffer.alloc(0),
      });
    await within(quietMs, () => seen.greeting && reached, signal);
    const serversSpeakFirst = seen.greeting;
    // The fault of 2023: only a client that says something hears the server.
    client.write("hello from a client\n");
    await within(answerMs, () => seen.greeting, signal);
    const works = seen.arp && seen.connection && seen.greeting;
    return {
      works,
      closed: !reached,
      serversSpeakFirst,
      detail: works ? "" : "It did not carry a connection to a forwarded port.",
    };
  } finally {
    wire.destroy();
    client.destroy();
    server.close();
  }
}

/** The guest's side: a server that greets whoever connects. */
function playServer(
  wire: Socket,
  client: Socket,
): { arp: boolean; connection: boolean; greeting: boolean } {
  const seen = { arp: false, connection: false, greeting: false };
  let rest: Buffer = Buffer.alloc(0);
  wire.on("data", (chunk: Buffer) => {
    const received = unpack(Buffer.concat([rest, chunk]));
    ({ rest } = received);
    for (const frame of received.frames) {
      if (isArp(frame)) seen.arp = true;
      const segment = readSegment(frame);
      if (segment?.targetPort === guest.port) answer(segment);
    }
  });
  const answer = (segment: Segment): void => {
    const reply = {
      source: guest.address,
      target: segment.source,
      sourcePort: guest.port,
      targetPort: segment.sourcePort,
    };
    if ((segment.flags & tcpFlags.syn) !== 0) {
      send(wire, {
        ...reply,
        sequence: 7_000,
        acknowledged: segment.sequence + 1,
        flags: tcpFlags.syn | tcpFlags.ack,
        data: Buffer.alloc(0),
      });
    } else if (!seen.connection && (segment.flags & tcpFlags.ack) !== 0) {
      seen.connection = true;
      send(wire, {
        ...reply,
        sequence: 7_001,
        acknowledged: segment.sequence,
        flags: tcpFlags.push | tcpFlags.ack,
        data: Buffer.from(greeting),
      });
    } else if (segment.data.length > 0)
      send(wire, {
        ...reply,
        sequence: 7_001 + greeting.length,
        acknowledged: segment.sequence + segment.data.length,
        flags: tcpFlags.ack,
        data: Buffer.alloc(0),
      });
  };
  client.on("data", () => (seen.greeting = true));
  for (const socket of [wire, client]) socket.on("error", () => undefined);
  return seen;
}

const send = (wire: Socket, segment: Segment): void => {
  wire.write(packed(tcpFrame(guest.mac, gatewayMac, segment)));
};

async function within(
  timeoutMs: number,
  done: () => boolean,
  signal: AbortSignal | undefined,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!done() && Date.now() < deadline) await sleep(10, signal);
}
