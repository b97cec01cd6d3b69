import { mkdtemp, rm } from "node:fs/promises";
import { type Socket, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** QEMU's end of one monitor connection, played by a script. */
export interface QmpPeer {
  /** Sends bytes as they are. */
  readonly send: (text: string | Buffer) => void;
  readonly sendJson: (value: unknown) => void;
  /** The next command that the client sends. */
  readonly command: () => Promise<{
    execute: string;
    arguments?: Record<string, unknown>;
    id: number;
  }>;
  /** Answers the next command with `value`. */
  readonly answer: (value: unknown) => Promise<void>;
  readonly end: () => void;
  /** Resolves when the client has gone. */
  readonly gone: Promise<void>;
}

export const greeting = {
  QMP: {
    version: { qemu: { major: 7, minor: 2, micro: 22 }, package: "" },
    capabilities: ["oob"],
  },
};

/** Listens on a socket, of its own where none is named, and runs `script` for each client that comes. */
export async function startQmpPeer(
  script: (peer: QmpPeer) => Promise<void> | void,
  socketPath?: string,
): Promise<{ path: string; close: () => Promise<void>; errors: unknown[] }> {
  const folder = await mkdtemp(join(tmpdir(), "guesthouse-qmp-"));
  const path = socketPath ?? join(folder, "qmp");
  const sockets = new Set<Socket>();
  const errors: unknown[] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    Promise.resolve(script(peerOf(socket))).catch((error: unknown) =>
      errors.push(error),
    );
  });
  await new Promise<void>((done) => server.listen(path, done));
  return {
    path,
    errors,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((done) => server.close(() => done()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function peerOf(socket: Socket): QmpPeer {
  const commands: string[] = [];
  const waiting: ((line: string) => void)[] = [];
  let rest = "";
  socket.setEncoding("utf8");
  socket.on("data", (text: string) => {
    const lines = (rest + text).split("\r\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const taker = waiting.shift();
      if (taker === undefined) commands.push(line);
      else taker(line);
    }
  });
  const send: QmpPeer["send"] = (text) => void socket.write(text);
  const command: QmpPeer["command"] = async () => {
    const line =
      commands.shift() ??
      (await new Promise<string>((resolve) => waiting.push(resolve)));
    return JSON.parse(line) as Awaited<ReturnType<QmpPeer["command"]>>;
  };
  const sendJson: QmpPeer["sendJson"] = (value) =>
    send(`${JSON.stringify(value)}\r\n`);
  return {
    send,
    sendJson,
    command,
    answer: async (value) =>
      sendJson({ return: value, id: (await command()).id }),
    end: () => socket.destroy(),
    gone: new Promise((done) => socket.once("close", () => done())),
  };
}

/** Greets and accepts the capabilities, as every QEMU does. */
export async function negotiate(peer: QmpPeer): Promise<void> {
  peer.sendJson(greeting);
  await peer.answer({});
}
