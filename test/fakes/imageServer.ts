import { createHash } from "node:crypto";
import {
  type IncomingMessage,
  type Server,
  type ServerResponse,
  createServer,
} from "node:http";
import { type AddressInfo, type Socket, connect } from "node:net";

/** How the server treats one request for the image; the last one of a list stays. */
export interface Behaviour {
  /** Ignores `Range`. */
  readonly noRanges?: boolean;
  /** Cuts the connection after so many body bytes. */
  readonly cutAfter?: number;
  /** Stops sending after so many body bytes, but keeps the connection. */
  readonly stallAfter?: number;
  readonly status?: number;
  /** Sent instead of the image. */
  readonly content?: Buffer;
  readonly etag?: string | null;
  /** Answers ranges even though If-Range doesn't match. */
  readonly brokenIfRange?: boolean;
  readonly chunked?: boolean;
  /** Pause between pieces of 64 KiB. */
  readonly delayMs?: number;
}

export interface ImageServer {
  readonly url: string;
  readonly checksumUrl: string;
  readonly port: number;
  /** Headers of every request for the image. */
  readonly requests: { readonly range?: string; readonly ifRange?: string }[];
  /** Every host that was asked for as of a proxy; each leads back here. */
  readonly tunnels: string[];
  /** Every path asked for. */
  readonly paths: string[];
  behaviours: Behaviour[];
  image: Buffer;
  sums: () => string;
  readonly close: () => Promise<void>;
}

/** A web server that publishes `/disk.qcow2` and `/SHA256SUMS`, with the faults that downloads meet. */
export async function startImageServer(image: Buffer): Promise<ImageServer> {
  const sockets = new Set<Socket>();
  let served = 0;
  const http = createServer((request, response) => {
    state.paths.push(request.url ?? "");
    if (request.url === "/SHA256SUMS") {
      response.end(state.sums());
      return;
    }
    if (request.url !== "/disk.qcow2") {
      response.writeHead(404).end("no such file");
      return;
    }
    const behaviour =
      state.behaviours[Math.min(served++, state.behaviours.length - 1)] ?? {};
    state.requests.push({
      ...(request.headers.range === undefined
        ? {}
        : { range: request.headers.range }),
      ...(typeof request.headers["if-range"] === "string"
        ? { ifRange: request.headers["if-range"] }
        : {}),
    });
    void serve(request, response, behaviour, state.image);
  });
  http.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
  });
  const port = await listen(http);
  http.on("connect", (request: IncomingMessage, socket: Socket) => {
    state.tunnels.push(request.url ?? "");
    const inner = connect(port, "127.0.0.1");
    inner.on("error", () => socket.destroy());
    socket.on("error", () => inner.destroy());
    socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
    socket.pipe(inner).pipe(socket);
  });
  const state: ImageServer = {
    url: `http://127.0.0.1:${String(port)}/disk.qcow2`,
    checksumUrl: `http://127.0.0.1:${String(port)}/SHA256SUMS`,
    port,
    requests: [],
    tunnels: [],
    paths: [],
    behaviours: [],
    image,
    sums: () => `${sha256(state.image)}  disk.qcow2\n`,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        http.close(() => resolve());
      }),
  };
  return state;
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  behaviour: Behaviour,
  image: Buffer,
): Promise<void> {
  if (behaviour.status !== undefined) {
    response.writeHead(behaviour.status).end("not now");
    return;
  }
  const content = behaviour.content ?? image;
  const etag =
    behaviour.etag === undefined
      ? `"${sha256(content).slice(0, 8)}"`
      : behaviour.etag;
  if (etag !== null) response.setHeader("etag", etag);
  const start = rangeStart(request, behaviour, etag);
  if (start >= content.length && start > 0) {
    response
      .writeHead(416, { "content-range": `bytes */${String(content.length)}` })
      .end();
    return;
  }
  if (start > 0)
    response.setHeader(
      "content-range",
      `bytes ${String(start)}-${String(content.length - 1)}/${String(content.length)}`,
    );
  if (behaviour.chunked !== true)
    response.setHeader("content-length", content.length - start);
  response.writeHead(start > 0 ? 206 : 200);
  const limit = behaviour.cutAfter ?? behaviour.stallAfter ?? Infinity;
  let sent = 0;
  for (let at = start; at < content.length;) {
    const piece = content.subarray(at, at + Math.min(65_536, limit - sent));
    if (piece.length === 0) break;
    await new Promise((resolve) => response.write(piece, resolve));
    sent += piece.length;
    at += piece.length;
    if (behaviour.delayMs !== undefined)
      await new Promise((resolve) => setTimeout(resolve, behaviour.delayMs));
    if (response.destroyed) return;
  }
  if (behaviour.cutAfter !== undefined && sent >= behaviour.cutAfter)
    response.socket?.destroy();
  else if (behaviour.stallAfter === undefined) response.end();
}

function rangeStart(
  request: IncomingMessage,
  behaviour: Behaviour,
  etag: string | null,
): number {
  const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? "");
  if (range === null || behaviour.noRanges === true) return 0;
  const matches = request.headers["if-range"] === etag;
  return matches || behaviour.brokenIfRange === true ? Number(range[1]) : 0;
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve()),
  );
  return (server.address() as AddressInfo).port;
}

export const sha256 = (content: Buffer): string =>
  createHash("sha256").update(content).digest("hex");
