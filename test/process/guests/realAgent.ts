import { execa } from "execa";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const installed = await execa("qemu-ga", ["--version"], { reject: false });

/** Why the tests with QEMU's own agent can't run here; undefined when they can. */
export const missing: string | undefined =
  installed.exitCode === 0 ? undefined : "qemu-ga is not installed";

/** QEMU's guest agent of this host, on a unix socket as in a guest's channel. */
export interface RealAgent {
  readonly socket: string;
  /** Kills it and starts another one in its place. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

export async function startAgent(...options: string[]): Promise<RealAgent> {
  const folder = await mkdtemp(join(tmpdir(), "agent-"));
  const socket = join(folder, "socket");
  const start = async (): Promise<ChildProcess> => {
    // What a killed one left: neither takes the place of the other's.
    for (const path of [socket, join(folder, "pid")])
      await rm(path, { force: true });
    const child = spawn(
      "qemu-ga",
      [
        ...["-m", "unix-listen", "-p", socket, "-t", folder],
        ...["-f", join(folder, "pid"), "-F/bin/true", ...options],
      ],
      { stdio: "ignore" },
    );
    for (let i = 0; i < 100 && !existsSync(socket); i++)
      await new Promise((resolve) => setTimeout(resolve, 20));
    return child;
  };
  let agent = await start();
  return {
    socket,
    async restart() {
      await end(agent);
      agent = await start();
    },
    async close() {
      await end(agent);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
}
