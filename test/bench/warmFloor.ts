import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  appendFile,
  copyFile,
  mkdtemp,
  open,
  readFile,
  rm,
  writeFile,
} from "node:fs/promises";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { freePorts } from "../../src/helper/networks/ports.ts";
import { generateHostKey } from "../../src/helper/ssh/keys.ts";
import type { Machine } from "../../src/protocol/machines.ts";
import type { Template } from "../../src/protocol/templates.ts";
import type { Household } from "../vm/household.ts";

/** What a script needs to know to resume a template: QEMU's arguments as they were seen, and where the files lie. */
export interface Floor {
  readonly house: Household;
  readonly template: Template;
  readonly model: Machine;
  readonly args: readonly string[];
}

export async function floorOf(
  house: Household,
  template: Template,
  model: Machine,
): Promise<Floor> {
  const line = await readFile(
    `/proc/${String(model.runtime?.pid ?? 0)}/cmdline`,
    "utf8",
  );
  return { house, template, model, args: line.split("\0").filter(Boolean) };
}

/** One resumed QEMU of the script's, to be ended by `end`. */
export interface Bare {
  readonly tookMs: number;
  readonly pid: number;
  readonly folder: string;
  end(): Promise<void>;
}

/**
 * The least that must be done for the same result: copy an empty overlay, start QEMU with the state as an open file,
 * load it, queue the identity, let it run, read the guest's word, one ssh with the new host key. No records, no locks, no
 * checks, nothing that a crash could not undo.
 */
export async function resumeBare(floor: Floor): Promise<Bare> {
  const { house, template, model } = floor;
  const folder = await mkdtemp(join(tmpdir(), "gh-floor-"));
  const at = (name: string): string => join(folder, name);
  const machine = join(house.home, "machines", model.id);
  const templates = join(house.home, "templates", template.id);
  const [port = 0] = await freePorts(1);
  const own = floor.args.map((arg) =>
    arg
      .replaceAll(machine, folder)
      .replaceAll(join(house.home, "run"), folder)
      .replaceAll(model.logPath, at("console.log"))
      .replace(/127\.0\.0\.1:\d+-/, `127.0.0.1:${String(port)}-`),
  );
  const address = /-(10\.0\.2\.\d+):22/.exec(own.join(" "))?.[1] ?? "";
  const [binary = "", ...rest] = own;
  await copyFile(join(machine, "seed.iso"), at("seed.iso"));

  const startedAt = performance.now();
  const hostKey = generateHostKey("floor");
  const nonce = randomBytes(16).toString("hex");
  await Promise.all([
    copyFile(join(templates, "overlay.qcow2"), at("disk.qcow2")),
    execa("mkfifo", ["-m", "600", at("handoff.in"), at("handoff.out")]),
    writeFile(at("known_hosts"), `floor ${hostKey.publicKey}\n`),
  ]);
  const state = await open(join(templates, "state"), "r");
  const qemu = spawn(binary, rest, {
    stdio: ["ignore", "ignore", "ignore", state.fd],
  });
  const monitor = await connectTo(
    own.find((arg) => arg.includes("id=qmp"))?.match(/path=([^,]*)/)?.[1] ?? "",
  );
  const say = commander(monitor);
  await say("qmp_capabilities");
  await say("migrate-set-capabilities", {
    capabilities: [
      { capability: "events", state: true },
      { capability: "x-ignore-shared", state: true },
    ],
  });
  const loaded = until(monitor, '"completed"');
  await say("migrate-incoming", { uri: "fd:3" });
  await loaded;
  const answered = await open(at("handoff.out"), "r+");
  const user = await readFile(
    join(house.home, "ssh", "id_ed25519.pub"),
    "utf8",
  );
  await appendFile(
    at("handoff.in"),
    `${JSON.stringify({
      guesthouse: 1,
      nonce,
      timeNs: `${String(Date.now())}000000`,
      entropy: randomBytes(64).toString("base64"),
      hostname: "floor",
      machineId: randomBytes(16).toString("hex"),
      network: {
        mac: "52:54:00:12:34:56",
        address: `${address}/24`,
        gateway: "10.0.2.2",
      },
      user: { name: model.user, authorizedKeys: [user.trim()] },
      hostKey: { private: hostKey.privateKey, public: hostKey.publicKey },
    })}\n`,
  );
  await say("cont");
  await answered.read(Buffer.alloc(65_536));
  for (;;) {
    const { exitCode } = await execa(
      "ssh",
      [
        ...["-F", "none", "-p", String(port), "-o", "BatchMode=yes"],
        ...["-i", join(house.home, "ssh", "id_ed25519")],
        ...["-o", `UserKnownHostsFile=${at("known_hosts")}`],
        ...["-o", "StrictHostKeyChecking=yes", "-o", "HostKeyAlias=floor"],
        ...[`${model.user}@127.0.0.1`, "true"],
      ],
      { reject: false },
    );
    if (exitCode === 0) break;
  }
  const tookMs = performance.now() - startedAt;
  return {
    tookMs,
    pid: qemu.pid ?? 0,
    folder,
    async end() {
      monitor.destroy();
      await Promise.all([state.close(), answered.close()]);
      qemu.kill("SIGKILL");
      if (qemu.exitCode === null) await once(qemu, "exit");
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function connectTo(path: string): Promise<Socket> {
  for (;;) {
    const socket = createConnection(path);
    try {
      await once(socket, "connect");
      return socket;
    } catch {
      await new Promise((wake) => setTimeout(wake, 2));
    }
  }
}

function until(socket: Socket, text: string): Promise<void> {
  return new Promise((resolve) => {
    let seen = "";
    const hear = (chunk: Buffer): void => {
      seen += chunk.toString();
      if (!seen.includes(text)) return;
      socket.off("data", hear);
      resolve();
    };
    socket.on("data", hear);
  });
}

function commander(
  socket: Socket,
): (command: string, args?: object) => Promise<void> {
  return async (command, args) => {
    const answered = until(socket, '"return"');
    socket.write(
      `${JSON.stringify({ execute: command, ...(args && { arguments: args }) })}\n`,
    );
    await answered;
  };
}
