import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { execa, type Options } from "execa";

/** A corner of the host with folders, network and processes of its own. All that was started in it ends with it. */
export interface Namespace {
  /** Runs a program inside; throws with its output when it fails. Answers what it printed. */
  run(
    program: string,
    args: readonly string[],
    options?: Options,
  ): Promise<string>;
  /** The same, without throwing: did it succeed? */
  succeeds(program: string, args: readonly string[]): Promise<boolean>;
  /** Starts a program inside that goes on. */
  start(program: string, args: readonly string[], options?: Options): void;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The first process must collect orphans, or whoever waits for the end of a daemonized QEMU waits for ever. */
const collectOrphans = "while :; do sleep 3600 & wait; done";

/** `own`: folders of the host that are replaced by empty ones below `folder`. Needs root. */
export async function openNamespace(
  folder: string,
  own: readonly string[],
): Promise<Namespace> {
  const child = spawn(
    "setpriv",
    [
      // Ends with this process, however that ends.
      ...["--pdeathsig", "KILL", "unshare"],
      ...["--mount", "--net", "--pid", "--fork", "--kill-child"],
      ...["--mount-proc", "sh", "-c", collectOrphans],
    ],
    { stdio: "ignore" },
  );
  const init = await firstChild(child.pid ?? 0);
  const enter = ["--target", init, "--mount", "--net", "--pid", "--"];
  const ended = async (
    program: string,
    args: readonly string[],
    options: Options = {},
  ): Promise<{ exitCode: number; all: string; stdout: string }> => {
    const result = await execa("nsenter", [...enter, program, ...args], {
      reject: false,
      stdin: "ignore",
      all: true,
      ...options,
    });
    return {
      exitCode: result.exitCode ?? -1,
      all: String(result.all),
      stdout: String(result.stdout),
    };
  };
  const it: Namespace = {
    async run(program, args, options) {
      const { exitCode, all, stdout } = await ended(program, args, options);
      if (exitCode !== 0)
        throw new Error(
          `${[program, ...args].join(" ")} ended with ${String(exitCode)}: ${all.trim()}`,
        );
      return stdout.trim();
    },
    succeeds: async (program, args) =>
      (await ended(program, args)).exitCode === 0,
    start(program, args, options = {}) {
      void ended(program, args, options);
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null)
        await once(child, "exit");
    },
  };
  await it.run("ip", ["link", "set", "lo", "up"]);
  // Whatever runs as a service of the host is not seen from here, nor disturbed.
  await it.run("mount", ["-t", "tmpfs", "tmpfs", "/run"]);
  for (const path of own) {
    const instead = join(folder, path.slice(1).replaceAll("/", "-"));
    await mkdir(instead, { recursive: true });
    await it.run("mkdir", ["-p", path]);
    await it.run("mount", ["--bind", instead, path]);
  }
  return it;
}

async function firstChild(pid: number): Promise<string> {
  const path = `/proc/${String(pid)}/task/${String(pid)}/children`;
  for (let tries = 0; tries < 100; tries++) {
    const [first] = (await readFile(path, "utf8").catch(() => ""))
      .split(" ")
      .filter(Boolean);
    if (first !== undefined) return first;
    await new Promise((wake) => setTimeout(wake, 20));
  }
  throw new Error("there is no namespace of its own to be had");
}
