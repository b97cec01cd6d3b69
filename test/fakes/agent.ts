import { createServer, type Server, type Socket } from "node:net";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What the scripted agent does with one request; what it returns is written as it is. */
export type Script = (request: {
  readonly command: string;
  readonly args: Record<string, unknown>;
  readonly socket: Socket;
  /** Connections so far, this one included. */
  readonly connection: number;
}) => string | Buffer | undefined;

export interface FakeAgent {
  readonly socket: string;
  /** Commands in the order of their arrival. */
  readonly heard: string[];
  close(): Promise<void>;
}

/** Answers `guest-sync-delimited` as the protocol wants it. */
export const synced = (args: Record<string, unknown>): Buffer =>
  Buffer.concat([
    Buffer.of(0xff),
    Buffer.from(`{"return": ${String(args["id"])}}\n`),
  ]);

/** A far end that speaks the agent's protocol as badly as the script wants. */
export async function fakeAgent(script: Script): Promise<FakeAgent> {
  const folder = await mkdtemp(join(tmpdir(), "fake-agent-"));
  const path = join(folder, "socket");
  const heard: string[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const server: Server = createServer((socket) => {
    const connection = ++connections;
    sockets.add(socket);
    socket.on("error", () => undefined);
    let rest = "";
    socket.on("data", (chunk) => {
      const lines = (rest + chunk.toString("latin1")).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const message = JSON.parse(line.replace(/^\u00ff/, "")) as {
          execute: string;
          arguments?: Record<string, unknown>;
        };
        heard.push(message.execute);
        const answer = script({
          command: message.execute,
          args: message.arguments ?? {},
          socket,
          connection,
        });
        if (answer !== undefined) socket.write(answer);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, () => resolve()));
  return {
    socket: path,
    heard,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
