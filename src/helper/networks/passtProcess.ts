import {
  type CompanionFiles,
  type CompanionKind,
  type CompanionStart,
  endStrayCompanions,
  findCompanions,
  removeCompanion,
  startCompanion,
} from "../qemu/companion.ts";
import type { ProcessIdentity } from "../qemu/process.ts";
import { failed, type GuesthouseError } from "../../protocol/failure.ts";
import { namesPasst } from "./passt.ts";

const passtKind: CompanionKind = {
  names: namesPasst,
  explain: explainPasstFailure,
};

/**
 * Starts passt as a process of its own session, which outlives us as QEMU does (B14), and returns once it waits for
 * QEMU on its socket. Throws `machines.portTaken` when a port to be forwarded is in use, `machines.startFailed` with
 * passt's words otherwise; nothing stays behind then.
 */
export const startPasst = (
  start: CompanionStart,
  signal?: AbortSignal,
): Promise<ProcessIdentity> => startCompanion(passtKind, start, signal);

/** Says why passt ended before it waited for QEMU. `exit` says how: `exit code 1`. Pure. */
export function explainPasstFailure(
  output: string,
  exit: string,
): GuesthouseError {
  const lines = output
    .split("\n")
    .map((line) => line.trim())
    // Where no system logger runs.
    .filter((line) => line !== "" && !/^Failed to send \d+ bytes/.test(line));
  for (const line of lines) {
    const port = /Failed to bind .*-t 127\.0\.0\.1\/(\d+)/.exec(line)?.[1];
    if (port !== undefined)
      return failed(
        "machines.portTaken",
        `Port ${port} of this host is taken by another program, so it can't be forwarded to the machine.`,
        {
          remedy: "Start the machine again with another port.",
          actions: ["retry"],
        },
      );
  }
  const told = lines.slice(-2).join(" ");
  return cantStart(told === "" ? exit : told.replace(/\.$/, ""));
}

const cantStart = (why: string): GuesthouseError =>
  failed("machines.startFailed", `passt can't be started: ${why}.`, {
    remedy: "Run the doctor; it tries passt again.",
    actions: ["doctor", "retry"],
  });

/** Ends every passt whose socket is `socketPath`, the one inside a namespace too, and removes its files. */
export const removePasst = (files: CompanionFiles): Promise<void> =>
  removeCompanion(passtKind, files);

/** Every passt of this user whose socket begins with `marker`. */
export const findPasst = (marker: string): Promise<ProcessIdentity[]> =>
  findCompanions(passtKind, marker);

/** Ends every passt of this user with a socket in the folder `run`, but those with one of the sockets `living`. */
export async function endStrayPassts(
  run: string,
  living: readonly string[],
): Promise<void> {
  if (process.platform !== "linux") return;
  await endStrayCompanions(passtKind, run, living);
}
