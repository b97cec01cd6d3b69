import { createInterface } from "node:readline";
import { execa } from "execa";
import { cancelled, failed } from "../../../protocol/failure.ts";
import { findProgram, programPath } from "../../processes/programs.ts";
import { toolFailure } from "./toolFailure.ts";

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: Uint8Array;
  /** Gets every line of both streams; without it the tool's output is only kept for error messages. */
  readonly onLine?: (line: string) => void;
}

/** Fails with `host.toolMissing`, naming all programs that are not installed and the Debian packages that have them. */
export async function requirePrograms(
  packages: Readonly<Record<string, string>>,
): Promise<void> {
  const missing: string[] = [];
  for (const name of Object.keys(packages))
    if ((await findProgram(name)) === undefined) missing.push(name);
  if (missing.length === 0) return;
  const install = [...new Set(missing.map((name) => packages[name] ?? name))];
  throw failed(
    "host.toolMissing",
    `Building an image needs ${missing.join(", ")}, which this host doesn't have.`,
    {
      remedy: `Install with: sudo apt install ${install.join(" ")}`,
      actions: ["installTools", "doctor"],
    },
  );
}

/**
 * Runs a program to its end and gives its standard output. Ending by `signal` kills the program's whole process group
 * at once, and so does the death of this process; what it held in a process namespace dies with it.
 * Throws `cancelled`, or a failure that `toolFailure` makes of the exit and the last lines.
 */
export async function run(
  { file, args, env, input, onLine }: Command,
  signal: AbortSignal,
): Promise<Buffer> {
  throwIfCancelled(signal);
  const child = execa("setpriv", ["--pdeathsig", "KILL", file, ...args], {
    env: { ...env, PATH: programPath(process.env), LC_ALL: "C.UTF-8" },
    // A group of its own: the tools start others, and a lone kill would orphan them.
    detached: true,
    encoding: "buffer",
    all: true,
    reject: false,
    ...(input === undefined ? { stdin: "ignore" as const } : { input }),
  });
  const kill = (): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // The whole group is gone already.
    }
  };
  signal.addEventListener("abort", kill, { once: true });
  try {
    if (onLine !== undefined)
      createInterface({ input: child.all }).on("line", onLine);
    const result = await child;
    throwIfCancelled(signal);
    if (result.exitCode === 0) return Buffer.from(result.stdout);
    // Without a reader of lines the standard output is data.
    const said = onLine === undefined ? result.stderr : result.all;
    const lines = Buffer.from(said).toString().split("\n").slice(-200);
    throw toolFailure(file, result.exitCode, lines, result.cause);
  } finally {
    signal.removeEventListener("abort", kill);
    kill();
  }
}

function throwIfCancelled(signal: AbortSignal): void {
  if (signal.aborted) throw cancelled();
}
