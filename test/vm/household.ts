import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { execa, type Options } from "execa";
import type { Machine } from "../../src/protocol/machines.ts";

const root = resolve(import.meta.dirname, "../..");
export const bundle = join(root, "dist", "helper.js");

/** One data folder with a helper of its own, far from every other run (B21). */
export interface Household {
  readonly home: string;
  /** Runs the command line; never throws for an exit code. */
  guesthouse(args: readonly string[], options?: Options): Promise<Ended>;
  /** Ends the helper, and lets the next one end itself, or the QEMU at hand, at this step of what it does. */
  guesthouseWithFault(
    fault: string,
    args: readonly string[],
    victim?: "helper" | "qemu",
  ): Promise<Ended>;
  /** Runs the command line, which must succeed, and answers its JSON. */
  json<T>(args: readonly string[]): Promise<T>;
  machine(name: string): Promise<Machine>;
  /** Plain OpenSSH with the written config. */
  ssh(
    alias: string,
    command: readonly string[],
    options?: readonly string[],
  ): Promise<Ended>;
  readonly sshConfig: string;
  /** Deletes the machines, ends the helper, removes the folder. */
  [Symbol.asyncDispose](): Promise<void>;
}

export interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function household(
  env: Readonly<Record<string, string>> = {},
): Promise<Household> {
  const home = await mkdtemp(join(tmpdir(), "gh-"));
  const environment = {
    GUESTHOUSE_HOME: home,
    GUESTHOUSE_IDLE_SECONDS: "600",
    // Templates are made where a test asks for one: making them costs a boot.
    GUESTHOUSE_WARM: "manual",
    ...env,
  };
  const run = async (
    file: string,
    args: readonly string[],
    options: Options = {},
  ): Promise<Ended> => {
    const result = await execa(file, args, {
      reject: false,
      stdin: "ignore",
      env: environment,
      ...options,
    });
    return {
      exitCode: result.exitCode ?? -1,
      stdout: text(result.stdout),
      stderr: text(result.stderr),
    };
  };
  const sshConfig = join(home, "ssh", "guesthouse.conf");
  const it: Household = {
    home,
    sshConfig,
    guesthouse: (args, options) =>
      run(process.execPath, [bundle, ...args], options),
    async guesthouseWithFault(fault, args, victim = "helper") {
      await it.guesthouse(["daemon", "stop"]);
      const what = victim === "qemu" ? "kill:qemu" : "kill";
      const ended = await it.guesthouse(args, {
        env: { ...environment, GUESTHOUSE_FAULT: `${fault}:${what}` },
      });
      // A helper that outlives its fault would meet it again.
      if (victim === "qemu") await it.guesthouse(["daemon", "stop"]);
      return ended;
    },
    async json<T>(args: readonly string[]): Promise<T> {
      const { exitCode, stdout, stderr } = await it.guesthouse([
        ...args,
        "--json",
      ]);
      if (exitCode !== 0)
        throw new Error(
          `guesthouse ${args.join(" ")} ended with ${String(exitCode)}: ${stderr}${stdout}\n${await helperLog(home)}`,
        );
      return JSON.parse(stdout) as T;
    },
    machine: (name) => it.json<Machine>(["show", name]),
    ssh: (alias, command, options = []) =>
      run("ssh", [
        "-F",
        sshConfig,
        "-o",
        "BatchMode=yes",
        ...options,
        alias,
        ...command,
      ]),
    async [Symbol.asyncDispose]() {
      const { stdout } = await it.guesthouse(["list", "--json"]);
      const machines = JSON.parse(stdout === "" ? "[]" : stdout) as Machine[];
      if (machines.length > 0)
        await it.guesthouse([
          "delete",
          "--discard",
          ...machines.map(({ name }) => name),
        ]);
      await it.guesthouse(["daemon", "stop"]);
      await rm(home, { recursive: true, force: true });
    },
  };
  return it;
}

const text = (output: unknown): string =>
  typeof output === "string" ? output : "";

async function helperLog(home: string): Promise<string> {
  const text = await readFile(join(home, "logs", "helper.log"), "utf8").catch(
    () => "",
  );
  return text.split("\n").slice(-15).join("\n");
}

/** How much slower this host is than usual, as `npm test` measured it. */
const pace = Math.max(1, Number(process.env["GUESTHOUSE_TEST_PACE"]) || 1);

/** Polls until `probe` answers something, for at most `timeoutMs`, or longer on a slow host. */
export async function eventually<T>(
  what: string,
  timeoutMs: number,
  probe: () => Promise<T | undefined>,
): Promise<T> {
  const deadline = Date.now() + timeoutMs * pace;
  for (;;) {
    const value = await probe();
    if (value !== undefined) return value;
    if (Date.now() > deadline)
      throw new Error(
        `${what} did not come about within ${String(timeoutMs)} ms`,
      );
    await new Promise((wake) => setTimeout(wake, 100));
  }
}

/** Has this process ended (zombies count as ended)? */
export async function isGone(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${String(pid)}/stat`, "utf8").catch(
    () => undefined,
  );
  return stat === undefined || / Z /.test(stat.slice(stat.lastIndexOf(")")));
}
