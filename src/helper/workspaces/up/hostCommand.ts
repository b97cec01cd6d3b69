/*
 * The one place where something of a devcontainer.json runs on the host: `initializeCommand`, with its user's consent to this
 * very file, as a child that ends with the `up`. Without consent `begin.ts` and `../prebuild/handlers.ts` refuse before
 * anything is made; `up.ts` runs the command.
 */
import { execa } from "execa";
import { StringDecoder } from "node:string_decoder";
import { refused } from "../../../protocol/failure.ts";
import { commandText, stepsOf } from "../devcontainer/lifecycleCommands.ts";
import type { Configuration } from "../devcontainer/read.ts";
import type { RunStep } from "../guest/steps.ts";

/**
 * Refuses with `workspaces.consentNeeded`, showing the command as it stands in the file, unless the user consented to
 * run it or wants it left out. Consent to another file than the one that is there now is none.
 */
export function requireConsent(
  { file, digest, path }: Configuration,
  initialize: "refuse" | "skip" | "run",
  consentedDigest: string | undefined,
): void {
  const { initializeCommand } = file;
  if (initializeCommand === undefined || initialize === "skip") return;
  if (stepsOf(initializeCommand).length === 0) return;
  const changed = consentedDigest !== undefined && consentedDigest !== digest;
  if (initialize === "run" && !changed) return;
  throw refused(
    "workspaces.consentNeeded",
    `${path ?? "The configuration"} wants to run a command on this computer, outside of the VM: ${commandText(initializeCommand)}`,
    {
      remedy: `${changed ? "The file has changed since you consented. " : ""}Read it, and what it calls. --trust runs it, --skip-initialize goes on without it.`,
    },
  );
}

/** Runs a step on the host, in the folder. Only after `requireConsent`. */
export const hostRunner =
  (folder: string): RunStep =>
  async ([program = "", ...args], onOutput, signal) => {
    const child = execa(...forHost(program, args), {
      cwd: folder,
      stdin: "ignore",
      all: true,
      buffer: false,
      reject: false,
      cancelSignal: signal,
    });
    const decoder = new StringDecoder("utf8");
    child.all.on("data", (chunk: Buffer) => onOutput(decoder.write(chunk)));
    const { exitCode, failed, shortMessage } = await child;
    signal.throwIfAborted();
    if (exitCode === undefined && failed) onOutput(`${shortMessage ?? ""}\n`);
    return exitCode ?? -1;
  };

/** A string in the file is for the host's own shell; `lifecycleCommands.ts` names that of POSIX. */
function forHost(
  program: string,
  args: readonly string[],
): [string, readonly string[]] {
  const [flag, text] = args;
  return process.platform === "win32" && program === "/bin/sh" && flag === "-c"
    ? ["cmd.exe", ["/d", "/s", "/c", text ?? ""]]
    : [program, args];
}
