import type { Readable } from "node:stream";
import { execa } from "execa";
import { given } from "../../../base/given.ts";
import { visible } from "../../../base/visible.ts";
import { failed, type GuesthouseError } from "../../../protocol/failure.ts";
import { findProgram } from "../../processes/programs.ts";

export interface GitOptions {
  readonly stdin?: string | Readable;
  readonly env?: Readonly<Record<string, string>>;
  /** Exit codes that are answers; default 0 only. */
  readonly fine?: readonly number[];
  /** Nothing of the user's or the system's configuration counts, as in a repository of our own. */
  readonly ignoreUserConfig?: boolean;
  /** What mends a failure; default: bring the changes back in another way. */
  readonly remedy?: string;
  /** What is told to have failed; default: git's command. */
  readonly title?: string;
  /** What git says while it works, as it says it. */
  readonly onStderr?: (text: string) => void;
}

/** A repository's settings and hooks start nothing, and nothing is tidied up behind our back. */
const tame = [
  ...["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"],
  ...["-c", "gc.auto=0", "-c", "maintenance.auto=false"],
];

/**
 * An object that is missing is not fetched: where from, and by which program, is said by the repository's settings.
 * Older versions of git know only the second.
 */
const alone = { GIT_NO_LAZY_FETCH: "1", GIT_ALLOW_PROTOCOL: "none" };
const ownConfigOnly = {
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
};

export interface GitResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What git says where it takes no repository that belongs to somebody else. Pure. */
export const isForeign = (stderr: string): boolean =>
  /dubious ownership|unsafe repository/.test(stderr);

/** Runs git on the host in `folder`. Throws `host.toolMissing`, and `workspaces.failed` with git's own words. */
export async function hostGit(
  folder: string,
  args: readonly string[],
  options: GitOptions = {},
  signal?: AbortSignal,
): Promise<GitResult> {
  const { stdin, env, fine = [0], onStderr } = options;
  const git = await findProgram("git");
  if (git === undefined)
    throw failed("host.toolMissing", "git is not installed on this host.", {
      remedy: "Install git, or bring the changes back as a patch.",
    });
  const child = execa(git, [...tame, "-C", folder, ...args], {
    reject: false,
    extendEnv: false,
    env: {
      ...withoutGit(process.env),
      ...{ LC_ALL: "C", GIT_TERMINAL_PROMPT: "0", ...alone },
      ...(options.ignoreUserConfig === true ? ownConfigOnly : {}),
      ...env,
    },
    maxBuffer: 64 * 1024 * 1024,
    ...(stdin === undefined ? { stdin: "ignore" } : { input: stdin }),
    ...given({ cancelSignal: signal }),
  });
  if (onStderr !== undefined)
    child.stderr.on("data", (chunk: Buffer) => onStderr(chunk.toString()));
  const result = await child;
  signal?.throwIfAborted();
  const code = result.exitCode ?? -1;
  const { stdout, stderr } = result;
  if (fine.includes(code)) return { code, stdout, stderr };
  throw gitFailed(args[0] ?? "git", result.stderr, options);
}

/** An environment in which nothing speaks to git: which repository is meant is said by the folder alone. */
export function withoutGit(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined && !entry[0].startsWith("GIT_"),
    ),
  );
}

const gitFailed = (
  what: string,
  stderr: string,
  {
    title = `git ${what} refused on this host`,
    remedy = "Nothing was changed here. Look at the repository, or bring the changes back as a patch.",
  }: GitOptions,
): GuesthouseError =>
  failed("workspaces.failed", `${title}: ${lastWords(stderr)}`, { remedy });

const lastWords = (stderr: string): string =>
  visible(
    stderr
      .trim()
      .split(/[\r\n]+/)
      .slice(-4)
      .join(" "),
  );
