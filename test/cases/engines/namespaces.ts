/**
 * A Docker engine of this run's own: dockerd in namespaces (scripts/cases/engine.sh), its network by slirp4netns, where
 * 10.0.2.2 is this computer's loopback and so the stand-in registry. Programs run inside as an ordinary user.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Ended } from "../outcome.ts";

export interface Namespaces {
  /** Runs a program inside, in a folder; ends it after its time. */
  run(
    command: readonly string[],
    options: {
      readonly cwd: string;
      readonly env?: Readonly<Record<string, string>>;
      readonly seconds: number;
      readonly asRoot?: boolean;
    },
  ): Promise<Ended>;
  readonly close: () => Promise<void>;
}

const gateway = "10.0.2.2";

export async function startNamespaces(parts: {
  readonly checkout: string;
  readonly tree: string;
  readonly cli: string;
  /** Seen inside at the same path. */
  readonly folder: string;
  readonly registry: { readonly port: number; readonly caFile: string };
}): Promise<Namespaces> {
  const { checkout, tree, cli, folder, registry } = parts;
  await mkdir(folder, { recursive: true });
  await rm(join(folder, "network"), { force: true });
  await copyFile(registry.caFile, join(folder, "ca.pem"));
  const log = openSync(join(folder, "engine.log"), "w");
  const started: ChildProcess[] = [];
  const start = (command: string, args: string[]): ChildProcess => {
    const child = spawn(command, args, { stdio: ["ignore", log, log] });
    started.push(child);
    return child;
  };
  const close = async (): Promise<void> => {
    for (const child of started.toReversed()) {
      const ended =
        child.exitCode !== null ||
        new Promise((done) => child.once("exit", done));
      child.kill(child === started[0] ? "SIGKILL" : "SIGTERM");
      await ended;
    }
    closeSync(log);
  };
  const engine = start("unshare", [
    ...["--mount", "--net", "--pid", "--fork", "--kill-child"],
    join(checkout, "scripts/cases/engine.sh"),
    ...[tree, folder, cli],
  ]);
  const pid = await eventually(async () =>
    (
      await readFile(
        `/proc/${String(engine.pid)}/task/${String(engine.pid)}/children`,
        "utf8",
      )
    ).trim(),
  );
  start("slirp4netns", ["--configure", "--mtu=65520", pid, "tap0"]);
  const proxy = `http://${gateway}:${String(registry.port)}`;
  const namespaces: Namespaces = {
    close,
    run: (command, { cwd, env = {}, seconds, asRoot = false }) =>
      ended("nsenter", [
        ...["-t", pid, "-m", "-n", "-p", "-r", "--"],
        ...["sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", cwd],
        ...(asRoot
          ? []
          : ["setpriv", "--reuid=1000", "--regid=1000", "--init-groups"]),
        ...["timeout", "--kill-after=5", String(seconds)],
        ...["env", "-i", "HOME=/home/me", "USER=me", "LANG=C.UTF-8"],
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ...[`HTTPS_PROXY=${proxy}`, "NO_PROXY=localhost,127.0.0.1"],
        "NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt",
        ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
        ...command,
      ]),
  };
  await eventually(async () => {
    const { stdout } = await ended("nsenter", ["-t", pid, "-n", "ip", "route"]);
    return stdout;
  });
  await writeFile(join(folder, "network"), `${proxy}\n`);
  await eventually(async () => {
    if (engine.exitCode !== null)
      throw new Error(
        `the engine ended: ${await readFile(join(folder, "engine.log"), "utf8")}`,
      );
    const { stdout } = await namespaces.run(
      ["docker", "version", "--format", "{{.Server.Version}}"],
      { cwd: "/", seconds: 10 },
    );
    return stdout.trim();
  }).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  return namespaces;
}

/** Asks until there is an answer that says something, for a minute. */
async function eventually(ask: () => Promise<string>): Promise<string> {
  for (let tries = 0; tries < 300; tries++) {
    const answer = await ask();
    if (answer !== "") return answer;
    await new Promise((wake) => setTimeout(wake, 200));
  }
  throw new Error("the engine didn't come up within a minute");
}

/** Runs a program to its end, whatever its exit code. */
export function ended(
  command: string,
  args: readonly string[],
  options: {
    readonly cwd?: string;
    readonly env?: NodeJS.ProcessEnv;
    readonly timeoutMs?: number;
  } = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const { timeoutMs = 0, ...rest } = options;
    execFile(
      command,
      [...args],
      { maxBuffer: 1 << 28, cwd: "/", timeout: timeoutMs, ...rest },
      (error, stdout, stderr) => {
        const code = typeof error?.code === "number" ? error.code : 128;
        resolve({ code: error === null ? 0 : code, stdout, stderr });
      },
    ).stdin?.end();
  });
}
