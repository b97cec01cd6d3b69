// An HTTP proxy on the loopback that answers the public names itself, by TLS with the cache's own authority, and hands
// every other connection on to where it wants to go. Whoever uses it keeps the names as they are: an engine, BuildKit
// in it, the reference command line. Keeps a record of all that was asked.
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer as createProxy, request as requestHttp } from "node:http";
import { createServer as createSecure } from "node:https";
import { connect } from "node:net";
import { answeredHosts } from "./authority.mjs";

/**
 * @typedef {object} Request
 * @property {number} atMs
 * @property {string} host
 * @property {string} method
 * @property {string} path with its query; empty for a connection that was handed on
 * @property {number} status 0 for a connection that was handed on
 * @property {string | undefined} authorization the header as sent
 */

/**
 * @param {import("./protocol.mjs").Protocol} protocol
 * @param {{certificate: string, key: string}} identity paths of PEM files
 * @param {{address: string, port: number, onward: boolean}} options
 */
export async function startAnswerer(protocol, identity, options) {
  /** @type {Request[]} */
  const requests = [];
  /** @type {Set<import("node:net").Socket>} */
  const open = new Set();
  const note = (/** @type {Omit<Request, "atMs">} */ request) =>
    requests.push({ atMs: Date.now(), ...request });

  const secure = createSecure(
    {
      cert: await readFile(identity.certificate),
      key: await readFile(identity.key),
    },
    (request, response) => {
      answerOne(protocol, request, response, note).catch((error) => {
        response.writeHead(500).end(String(error));
      });
    },
  );
  const proxy = createProxy((request, response) => {
    handOn(request, response, { note, onward: options.onward });
  });
  proxy.on("connect", (request, socket) => {
    const [host = "", port = "443"] = (request.url ?? "").split(":");
    socket.on("error", () => socket.destroy());
    if (answeredHosts.includes(host)) {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      secure.emit("connection", socket);
      return;
    }
    tunnel(socket, host, Number(port), { note, onward: options.onward });
  });
  for (const server of [proxy, secure]) {
    server.on("connection", (socket) => {
      open.add(socket);
      socket.on("close", () => open.delete(socket));
    });
    server.on("clientError", (_, socket) => socket.destroy());
    server.on("tlsClientError", (_, socket) => socket.destroy());
  }
  await listen(proxy, options.port, options.address);
  await listen(secure, 0, options.address);
  return {
    requests,
    port: portOf(proxy),
    securePort: portOf(secure),
    close: async () => {
      const closed = [proxy, secure].map(
        (server) => new Promise((done) => server.close(done)),
      );
      for (const socket of open) socket.destroy();
      await Promise.all(closed);
    },
  };
}

/** @param {import("node:net").Server} server @param {number} port @param {string} address */
const listen = (server, port, address) =>
  new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, address, () => resolve(undefined));
  });
/** @param {import("node:net").Server} server */
const portOf = (server) =>
  /** @type {import("node:net").AddressInfo} */ (server.address()).port;

/**
 * @param {import("./protocol.mjs").Protocol} protocol
 * @param {import("node:http").IncomingMessage} request
 * @param {import("node:http").ServerResponse} response
 * @param {(request: Omit<Request, "atMs">) => void} note
 */
async function answerOne(protocol, request, response, note) {
  const host = (request.headers.host ?? "").replace(/:\d+$/, "");
  const { method = "GET", url: path = "/" } = request;
  const { authorization } = request.headers;
  request.resume();
  const answer = await protocol.answer({
    host,
    method,
    url: new URL(path, `https://${host}`),
    authorization,
  });
  note({ host, method, path, status: answer.status, authorization });
  const { file, body = "" } = answer;
  const size = file?.size ?? Buffer.byteLength(body);
  const headers = { ...answer.headers, "accept-ranges": "bytes" };
  const [, from] = /^bytes=(\d+)-$/.exec(request.headers.range ?? "") ?? [];
  const start = from !== undefined && answer.status === 200 ? Number(from) : 0;
  response.writeHead(start > 0 ? 206 : answer.status, {
    ...headers,
    "content-length": size - start,
    ...(start > 0
      ? { "content-range": `bytes ${start}-${size - 1}/${size}` }
      : {}),
  });
  if (method === "HEAD") response.end();
  else if (file === undefined) response.end(Buffer.from(body).subarray(start));
  else
    createReadStream(file.path, { start })
      .on("error", () => response.destroy())
      .pipe(response);
}

/**
 * A plain request for somebody else, as package managers send them.
 * @param {import("node:http").IncomingMessage} request
 * @param {import("node:http").ServerResponse} response
 * @param {{note: (request: Omit<Request, "atMs">) => void, onward: boolean}} options
 */
function handOn(request, response, { note, onward }) {
  const url = tryUrl(request.url ?? "");
  const { method = "GET", headers } = request;
  if (url === null || !onward) {
    note({
      host: url?.host ?? headers.host ?? "",
      method,
      path: request.url ?? "",
      status: 502,
      authorization: undefined,
    });
    response.writeHead(502).end("nothing is handed on here\n");
    return;
  }
  const own = { ...headers };
  for (const name of ["proxy-connection", "proxy-authorization"])
    delete own[name];
  const beyond = requestHttp(url, { method, headers: own }, (answer) => {
    note({
      host: url.host,
      method,
      path: url.pathname + url.search,
      status: answer.statusCode ?? 0,
      authorization: undefined,
    });
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  beyond.on("error", (error) => {
    if (!response.headersSent) response.writeHead(502);
    response.end(`${error.message}\n`);
  });
  request.pipe(beyond);
}

/** @param {string} text */
function tryUrl(text) {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

/**
 * @param {import("node:stream").Duplex} socket
 * @param {string} host
 * @param {number} port
 * @param {{note: (request: Omit<Request, "atMs">) => void, onward: boolean}} options
 */
function tunnel(socket, host, port, { note, onward }) {
  note({
    host,
    method: "CONNECT",
    path: "",
    status: 0,
    authorization: undefined,
  });
  if (!onward) {
    socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    return;
  }
  const beyond = connect(port, host, () => {
    socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
    socket.pipe(beyond).pipe(socket);
  });
  beyond.on("error", () => socket.destroy());
  socket.on("close", () => beyond.destroy());
}
