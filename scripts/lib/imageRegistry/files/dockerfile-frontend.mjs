// The frontend image that "# syntax=docker/dockerfile:1" names. It parses no Dockerfile: it asks the engine, by the
// gateway protocol of BuildKit on its standard streams, to solve with the frontend built into the engine, and returns
// that result. "cmdline" among the options keeps that one from starting this one again.
import { connect } from "node:http2";
import { Duplex } from "node:stream";

const options = Object.entries(process.env)
  .filter(([name]) => /^BUILDKIT_FRONTEND_OPT_\d+$/.test(name))
  .map(([, value]) => [
    value.slice(0, value.indexOf("=")),
    value.slice(value.indexOf("=") + 1),
  ]);

/** @param {number} number */
function varint(number) {
  const bytes = [];
  for (; number > 0x7f; number >>>= 7) bytes.push((number & 0x7f) | 0x80);
  return Buffer.from([...bytes, number]);
}
const flag = (field) => Buffer.concat([varint(field << 3), varint(1)]);
function bytes(field, content) {
  const body = Buffer.from(content);
  return Buffer.concat([varint((field << 3) | 2), varint(body.length), body]);
}

/** The length-delimited fields of a message: [number, content]. */
function fields(message) {
  const found = [];
  let at = 0;
  const number = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++];
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  };
  while (at < message.length) {
    const tag = number();
    if ((tag & 7) !== 2) {
      number();
      continue;
    }
    const length = number();
    found.push([tag >>> 3, message.subarray(at, at + length)]);
    at += length;
  }
  return found;
}

const session = connect("http://localhost", {
  createConnection: () =>
    Duplex.from({ readable: process.stdin, writable: process.stdout }),
});

class Refused extends Error {
  /** @param {Buffer} status a google.rpc.Status */
  constructor(status) {
    super("refused");
    this.status = status;
  }
}

/** One call of moby.buildkit.v1.frontend.LLBBridge. */
function call(method, message) {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": `/moby.buildkit.v1.frontend.LLBBridge/${method}`,
      "content-type": "application/grpc+proto",
      te: "trailers",
    });
    const chunks = [];
    let told = {};
    stream.on("response", (headers) => (told = headers));
    stream.on("trailers", (headers) => (told = headers));
    stream.on("data", (chunk) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("end", () => {
      if (told["grpc-status"] === "0") {
        resolve(Buffer.concat(chunks).subarray(5));
        return;
      }
      const details = told["grpc-status-details-bin"];
      reject(
        new Refused(
          details === undefined
            ? Buffer.concat([
                varint(1 << 3),
                varint(Number(told["grpc-status"] ?? 2)),
                bytes(2, decodeURIComponent(told["grpc-message"] ?? method)),
              ])
            : Buffer.from(String(details), "base64"),
        ),
      );
    });
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    stream.end(Buffer.concat([head, message]));
  });
}

try {
  await call("Ping", Buffer.alloc(0));
  const inputs = await call("Inputs", Buffer.alloc(0)).then(fields, () => []);
  const solved = await call(
    "Solve",
    Buffer.concat([
      bytes(2, "dockerfile.v0"),
      ...options.map(([name, value]) =>
        bytes(3, Buffer.concat([bytes(1, name), bytes(2, value)])),
      ),
      flag(5),
      flag(6),
      ...inputs.map(([, entry]) => bytes(13, entry)),
    ]),
  );
  const result = fields(solved).find(([field]) => field === 3)?.[1];
  await call("Return", bytes(1, result ?? Buffer.alloc(0)));
} catch (error) {
  if (!(error instanceof Refused)) throw error;
  await call("Return", bytes(2, error.status));
}
process.exit(0);
