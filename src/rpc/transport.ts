import { rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import {
  createMessageConnection,
  type MessageConnection,
  SocketMessageReader,
  SocketMessageWriter,
} from "vscode-jsonrpc/node";
import { withDeadline } from "../base/deadline.ts";

/** JSON-RPC 2.0 with Content-Length headers over one connected socket. The caller calls `listen()`. */
export function messageConnection(socket: Socket): MessageConnection {
  const connection = createMessageConnection(
    new SocketMessageReader(socket),
    new SocketMessageWriter(socket),
  );
  // A peer that goes away while we write is told by the close event; the error event itself has no news.
  socket.on("error", () => undefined);
  return connection;
}

/** Connects to a unix socket or named pipe. Throws the system's error (`ENOENT`, `ECONNREFUSED`) or a deadline. */
export function dial(
  path: string,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Socket> {
  return withDeadline(
    `Connecting to ${path}`,
    timeoutMs,
    (inner) =>
      new Promise<Socket>((resolve, reject) => {
        const socket = connect(path);
        const abort = (): void => void socket.destroy();
        inner.addEventListener("abort", abort, { once: true });
        socket.once("connect", () => {
          inner.removeEventListener("abort", abort);
          socket.removeListener("error", reject);
          resolve(socket);
        });
        socket.once("error", reject);
      }),
    signal,
  );
}

/**
 * Listens on a unix socket or named pipe. The caller holds the helper's lock, so a socket file that is already there
 * belongs to nobody and is removed. Its folder is 0700; that, not the socket's own mode, keeps others out everywhere.
 */
export async function listen(
  path: string,
  onConnection: (socket: Socket) => void,
): Promise<Server> {
  if (process.platform !== "win32") await rm(path, { force: true });
  const server = createServer(onConnection);
  const umask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, () => {
        server.removeListener("error", reject);
        resolve();
      });
    });
  } finally {
    process.umask(umask);
  }
  return server;
}
