import type { Readable } from "node:stream";
import { execa } from "execa";
import { failed, type GuesthouseError } from "../../../protocol/failure.ts";
import { findProgram } from "../../qemu/programs.ts";

export interface GitOptions {
  readonly stdin?: string | Readable;
  readonly env?: Readonly<Record<string, string>>;
  /** Exit codes that are answers; default 0 only. */
  readonly fine?: readonly number[];
}

/** A repository's settings and hooks start nothing, and nothing is tidied up behind our back. */
const tame = [
  ...["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"],
  ...["-c", "gc.auto=0", "-c", "maintenance.auto=false"],
];

/** Runs git on the host in `folder`. Throws `host.toolMissing`, and `workspaces.failed` with git's own words. */
export async function hostGit(
  folder: string,
  args: readonly string[],
  { stdin, env, fine = [0] }: GitOptions = {},
  signal?: AbortSignal,
): Promise<{ readonly code: number; readonly stdout: string }> {
  const git = await findProgram("git");
  if (git === undefined)
    throw failed("host.toolMissing", "git is not installed on this host.", {
      remedy: "Install git, or bring the changes back as a patch.",
    });
  const result = await execa(git, [...tame, "-C", folder, ...args], {
    reject: false,
    extendEnv: false,
    env: { ...ownEnvironment(), LC_ALL: "C", GIT_TERMINAL_PROMPT: "0", ...env },
    maxBuffer: 64 * 1024 * 1024,
    ...(stdin === undefined ? { stdin: "ignore" } : { input: stdin }),
    ...(signal === undefined ? {} : { cancelSignal: signal }),
  });
  signal?.throwIfAborted();
  const code = result.exitCode ?? -1;
  if (fine.includes(code)) return { code, stdout: result.stdout };
  throw gitFailed(args[0] ?? "git", result.stderr);
}

/** Which repository is meant is said by the folder alone. */
function ownEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined && !entry[0].startsWith("GIT_"),
    ),
  );
}

const gitFailed = (what: string, stderr: string): GuesthouseError =>
  failed(
    "workspaces.failed",
    `git ${what} refused on this host: ${stderr.trim().split("\n").slice(-4).join(" ")}`,
    {
      remedy:
        "Nothing was changed here. Look at the repository, or bring the changes back as a patch.",
    },
  );
