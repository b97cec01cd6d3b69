import { execa } from "execa";
import { chmod, lstat, realpath, rm, stat } from "node:fs/promises";
import { homedir, userInfo } from "node:os";
import { dirname, join } from "node:path";
import { given } from "../../base/given.ts";
import {
  hasErrorCode,
  isMissing,
  makePrivateFolder,
  readIfPresent,
  replaceFile,
} from "../../base/files.ts";
import { failed, type GuesthouseError } from "../../protocol/failure.ts";
import { findProgram } from "../processes/programs.ts";
import { includePattern } from "./config.ts";

export interface IncludeRequest {
  /** The user's own file: `remote.SSH.configFile` of the editor; default `~/.ssh/config`. */
  readonly configFile?: string;
  /** Our generated file. */
  readonly include: string;
  readonly wanted: boolean;
  /** Aliases whose settings are checked with `ssh -G` afterwards. */
  readonly aliases?: readonly string[];
  /** ssh reads it without being told, and then only if other users can't write to it; default: whether it's `~/.ssh/config`. */
  readonly isUsual?: boolean;
}

export interface IncludeResult {
  readonly included: boolean;
  readonly changed: boolean;
  readonly configFile: string;
}

const mark =
  "# Guesthouse: the next line makes `ssh <machine>` work. Remove both to opt out.";

/**
 * Adds our marked Include line as the first of the user's ssh config, or removes it (B24): OpenSSH keeps the first
 * value it reads. Idempotent, keeps the file's mode, line ends and symbolic link; a new file is 0600 in a 0700 folder.
 * Verified with `ssh -G`; throws `ssh.configFailed` and restores the file when ssh doesn't take it.
 */
export async function includeConfig(
  request: IncludeRequest,
  signal?: AbortSignal,
): Promise<IncludeResult> {
  const configFile = request.configFile ?? join(homedir(), ".ssh", "config");
  const path = await followLink(configFile);
  if (request.wanted && (request.isUsual ?? configFile === usualFile()))
    await requireMine(path);
  const before = await readIfPresent(path);
  const after = withInclude(before ?? "", request.include, request.wanted);
  const changed = after !== (before ?? "");
  if (changed) await write(path, after);
  if (request.wanted)
    try {
      await verify(configFile, request.aliases ?? [], signal);
    } catch (error) {
      if (changed && before === undefined) await rm(path, { force: true });
      else if (changed) await write(path, before ?? "");
      throw error;
    }
  return { included: request.wanted, changed, configFile };
}

/** Whether the user's config holds our line as its first statement, and ssh takes it. */
export async function isIncluded(
  include: string,
  configFile = join(homedir(), ".ssh", "config"),
  isUsual = configFile === usualFile(),
): Promise<boolean> {
  try {
    const path = await followLink(configFile);
    if (isUsual) await requireMine(path);
    const text = (await readIfPresent(path)) ?? "";
    return withInclude(text, include, true) === text;
  } catch {
    // Whoever wants it included is told why it can't be.
    return false;
  }
}

/** Pure: the text with our two lines at its head, or without them anywhere. */
export function withInclude(
  text: string,
  include: string,
  wanted: boolean,
): string {
  const newline = text.includes("\r\n") ? "\r\n" : "\n";
  const statement = `Include ${includePattern(include)}`;
  const lines = text.split(/\r?\n/);
  const rest = lines.filter(
    (line, index) =>
      line.trim() !== statement &&
      !(line === mark && lines[index + 1]?.trim() === statement),
  );
  // The empty line that separated our head from the user's first line goes with it.
  if (rest.length < lines.length && rest[0] === "") rest.shift();
  if (!wanted) return rest.join(newline);
  const body = rest.join(newline);
  return [mark, statement, ...(body === "" ? [""] : ["", body])].join(newline);
}

/** Of the account, as ssh takes it, whatever HOME says. */
const usualFile = (): string => join(userInfo().homedir, ".ssh", "config");

/**
 * A dotfile manager's link stays a link: the file behind it is replaced. What is no file, or leads to none, is refused in
 * words (F31).
 */
async function followLink(path: string): Promise<string> {
  const found = await lstat(path).catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
  if (found === undefined) return path;
  const real = await realpath(path).catch((error: unknown) => {
    if (isMissing(error)) throw unusable(path, "is a link that leads nowhere");
    if (hasErrorCode(error, "ELOOP"))
      throw unusable(path, "is a link that leads back to itself");
    throw error;
  });
  if (!(await stat(real)).isFile()) throw unusable(path, "is no file");
  return real;
}

/** ssh refuses to work with another one at all: "Bad owner or permissions" (ssh_config(5), FILES; F31). */
async function requireMine(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  const me = process.getuid?.();
  if (found === undefined || me === undefined) return;
  if (found.uid !== 0 && found.uid !== me)
    throw unusable(path, "belongs to another user, so that ssh refuses it");
  if ((found.mode & 0o022) !== 0)
    throw failed(
      "ssh.configFailed",
      `Others may write to ${path}, so that ssh refuses it.`,
      { remedy: `chmod go-w ${path}`, actions: ["retry"] },
    );
}

const unusable = (path: string, why: string): GuesthouseError =>
  failed("ssh.configFailed", `${path} ${why}.`, {
    remedy: "Put a file of your own there, or remove it, then try again.",
    actions: ["retry"],
  });

async function write(path: string, text: string): Promise<void> {
  await makePrivateFolder(dirname(path));
  const mode = await modeOf(path);
  await replaceFile(path, text, mode ?? 0o600);
  if (mode !== undefined) await chmod(path, mode);
}

async function modeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mode & 0o777;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Asks ssh itself what it would do for an alias (ssh(1), `-G`). */
async function verify(
  configFile: string,
  aliases: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  // One stands for all: they come from one file.
  const alias = aliases[0] ?? "localhost";
  const ssh = (await findProgram("ssh")) ?? "ssh";
  const result = await execa(ssh, ["-F", configFile, "-G", alias], {
    reject: false,
    stdin: "ignore",
    timeout: 10_000,
    ...given({ cancelSignal: signal }),
  });
  signal?.throwIfAborted();
  const ours = aliases.length === 0 || hasLine(result.stdout, alias);
  if (result.exitCode === 0 && ours) return;
  throw failed(
    "ssh.configFailed",
    `OpenSSH does not take the settings for ${alias} from ${configFile}: ${result.stderr.trim() || result.shortMessage || "another entry of the file comes first"}.`,
    {
      remedy: `Correct ${configFile}, then turn the Include line on again.`,
      actions: ["doctor", "retry"],
    },
  );
}

const hasLine = (output: string, alias: string): boolean =>
  output.split(/\r?\n/).includes(`hostkeyalias ${alias}`);
