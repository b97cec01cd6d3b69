// VS Code in the browser, for hosts without a desktop VS Code: its server runs inside the guest, bound to the guest's
// loopback behind a secret token, and OpenSSH forwards one loopback port of the host to it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream, readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { Failure, step } from "./progress.mjs";
import { capture } from "./run.mjs";
import { packedServer, serverVersion } from "./serverTree.mjs";

const script = readFileSync(new URL("guestServer.sh", import.meta.url), "utf8");

/** As `uname -m` of the guest names the architecture that this host's server is packed for. */
const machineName = { x64: "x86_64", arm64: "aarch64" }[process.arch];

/** Unattended: a question would wait for ever. */
const unattended = ["-o", "BatchMode=yes"];

/** @param {string} text */
const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/**
 * Runs an action of guestServer.sh in the guest.
 * @param {string} alias
 * @param {"probe" | "unpack" | "start"} action
 * @param {string} what completes "… failed"
 * @param {import("node:stream").Readable} [input]
 * @returns {Promise<string[]>} the words it printed
 */
async function inGuest(alias, action, what, input) {
  const line = `sh -c ${quoted(script)} sh ${action} ${serverVersion}`;
  const outcome = await capture(
    "ssh",
    [...unattended, alias, line],
    input ? { input } : {},
  );
  if (outcome.code === 0) return outcome.stdout.trim().split(/\s+/);
  throw new Failure(
    `${what} failed.`,
    outcome.stderr.trim() || `ssh ended with exit code ${outcome.code}`,
    `Check that \`ssh ${alias} true\` works and that the guest has room (\`ssh ${alias} df -h\`), then run this again.`,
  );
}

/**
 * Sees to it that VS Code's server is in the guest and running.
 * @param {string} alias the machine's name in the ssh config
 * @returns {Promise<{port: number, token: string}>} the port on the guest's loopback, and the secret it asks for
 * @throws {Failure}
 */
export async function startServerInGuest(alias) {
  const [architecture, there] = await inGuest(
    alias,
    "probe",
    "Asking the guest for VS Code's server",
  );
  if (there !== "yes") {
    if (architecture !== machineName) {
      throw new Failure(
        `VS Code's server cannot be put into this guest.`,
        `the guest is ${architecture}, this host is ${machineName}`,
        "Open the machine from desktop VS Code, which downloads the right server.",
      );
    }
    const packed = await packedServer();
    await step("Putting VS Code's server into the guest", () =>
      inGuest(
        alias,
        "unpack",
        "Unpacking VS Code's server in the guest",
        createReadStream(packed),
      ),
    );
  }
  const [port, token] = await step(
    "Starting VS Code's server in the guest",
    () => inGuest(alias, "start", "Starting VS Code's server in the guest"),
  );
  return { port: Number(port), token: token ?? "" };
}

/** A loopback port that is free now. */
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (
    server.address()
  );
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** @param {number} port */
async function answers(port) {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/**
 * Forwards a loopback port of the host into the guest, for as long as the child lives.
 * @param {string} alias
 * @param {number} guestPort
 * @returns {Promise<{port: number, child: import("node:child_process").ChildProcess}>}
 */
export async function forward(alias, guestPort) {
  let told = "";
  // Somebody else may take the port between asking for a free one and ssh binding it: then another one is tried.
  for (let attempt = 0; attempt < 3; attempt++) {
    const port = await freePort();
    const child = spawn(
      "ssh",
      [
        ...unattended,
        "-o",
        "ExitOnForwardFailure=yes",
        "-N",
        "-L",
        `127.0.0.1:${port}:127.0.0.1:${guestPort}`,
        alias,
      ],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    told = "";
    child.stderr.setEncoding("utf8").on("data", (text) => (told += text));
    const deadline = Date.now() + 60_000;
    while (child.exitCode === null && Date.now() < deadline) {
      if (await answers(port)) return { port, child };
      await delay(100);
    }
    child.kill();
  }
  throw new Failure(
    "The port of VS Code's server could not be forwarded.",
    told.trim() || "ssh did not open the port within a minute",
    `Try it by hand: ssh -N -L 8000:127.0.0.1:${guestPort} ${alias}`,
  );
}
