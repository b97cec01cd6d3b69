// Stands before OpenSSH's own sftp-server as if the host were Windows: `node windowsPaths.mjs <sftp-server> <folder>
// <home> [nolinks]`. Paths of drives are mapped into the folder on their way in and back out of it on their way out; what a
// user of Windows may not do, a symbolic link, is refused. Everything else is the real server's.
// Packets: https://datatracker.ietf.org/doc/html/draft-ietf-secsh-filexfer-02
import { spawn } from "node:child_process";

const [program, root, home, links] = process.argv.slice(2);
const server = spawn(program, ["-d", `${root}${home}`], {
  stdio: ["pipe", "pipe", "inherit"],
});
server.on("exit", (code) => process.exit(code ?? 1));

/** Drives of Windows are the same in either case. */
const inward = (path) =>
  path.replace(
    /^\/([a-z]):(?=\/|$)/i,
    (_, drive) => `${root}/${drive.toUpperCase()}:`,
  );
const outward = (path) =>
  path.startsWith(root) ? path.slice(root.length) || "/" : path;

// Requests and how many paths they begin with.
const paths = {
  3: 1, // OPEN
  7: 1, // LSTAT
  9: 1, // SETSTAT
  11: 1, // OPENDIR
  13: 1, // REMOVE
  14: 1, // MKDIR
  15: 1, // RMDIR
  16: 1, // REALPATH
  17: 1, // STAT
  18: 2, // RENAME
  19: 1, // READLINK
};
const symlink = 20;
const status = 101;
const name = 104;

/** Reads whole packets (type and body) of a stream. */
function packets(stream, take) {
  let waiting = Buffer.alloc(0);
  stream.on("data", (chunk) => {
    waiting = Buffer.concat([waiting, chunk]);
    for (;;) {
      if (waiting.length < 4) return;
      const length = waiting.readUInt32BE(0);
      if (waiting.length < 4 + length) return;
      take(waiting.subarray(4, 4 + length));
      waiting = waiting.subarray(4 + length);
    }
  });
}

const packet = (...parts) => {
  const body = Buffer.concat(parts);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
};
const string = (text) => {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
};

/** The first strings from `at` on, each through `map`, then what follows them. */
function mapped(body, at, count, map) {
  const parts = [body.subarray(0, at)];
  for (let i = 0; i < count; i++) {
    const length = body.readUInt32BE(at);
    parts.push(string(map(body.toString("utf8", at + 4, at + 4 + length))));
    at += 4 + length;
  }
  return packet(...parts, body.subarray(at));
}

packets(process.stdin, (body) => {
  const type = body[0];
  if (type === symlink && links === "nolinks") {
    const failure = Buffer.alloc(4);
    failure.writeUInt32BE(4);
    process.stdout.write(
      packet(
        Buffer.of(status),
        body.subarray(1, 5),
        failure,
        string("Failure"),
        string(""),
      ),
    );
    return;
  }
  // The type, then the request's number.
  server.stdin.write(mapped(body, 5, paths[type] ?? 0, inward));
});
process.stdin.on("end", () => server.stdin.end());

packets(server.stdout, (body) => {
  // A name stands behind the count; of a folder's list they have no folder in them.
  process.stdout.write(
    body[0] === name && body.readUInt32BE(5) === 1
      ? mapped(body, 9, 1, outward)
      : packet(body),
  );
});
