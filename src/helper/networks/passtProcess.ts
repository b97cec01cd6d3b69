import { open, rm, stat } from "node:fs/promises";
import { sleep } from "../../base/deadline.ts";
import {
  cancelled,
  failed,
  type GuesthouseError,
} from "../../protocol/failure.ts";
import { spawnDetached, textFrom, whenEnded } from "../qemu/detached.ts";
import {
  endProcess,
  findProcesses,
  type ProcessIdentity,
  processIdentity,
  waitForExit,
} from "../qemu/process.ts";
import { type Command, namesPasst } from "./passt.ts";

export interface PasstStart {
  readonly command: Command;
  readonly socketPath: string;
  readonly pidFile: string;
  /** Gets passt's own messages, appended. */
  readonly logPath: string;
  readonly cwd: string;
}

const isAborted = (signal: AbortSignal | undefined): boolean =>
  signal?.aborted === true;

const startTimeoutMs = 10_000;
const readyPollMs = 4;

/**
 * Starts passt as a process of its own session, which outlives us as QEMU does (B14), and returns once it waits for
 * QEMU on its socket. Throws `machines.portTaken` when a port to be forwarded is in use, `machines.startFailed` with
 * passt's words otherwise; nothing stays behind then.
 */
export async function startPasst(
  start: PasstStart,
  signal?: AbortSignal,
): Promise<ProcessIdentity> {
  if (isAborted(signal)) throw cancelled();
  for (const path of [start.socketPath, start.pidFile])
    await rm(path, { force: true });
  const log = await open(start.logPath, "a+", 0o600);
  try {
    const { size: logStart } = await log.stat();
    const child = spawnDetached({ ...start.command, cwd: start.cwd }, log.fd);
    const ended = whenEnded(child);
    try {
      const deadline = Date.now() + startTimeoutMs;
      // Not by trying the socket: the first client is the only one. The pid file is the last thing that passt sets up.
      while (!ended.happened()) {
        if (await isWritten(start.pidFile)) {
          const identity = await processIdentity(child.pid ?? 0);
          if (identity !== undefined) return identity;
        }
        if (Date.now() > deadline)
          throw cantStart("it did not open its socket in time");
        await sleep(readyPollMs, signal);
      }
    } catch (error) {
      child.kill("SIGKILL");
      await removePasst(start);
      throw isAborted(signal) ? cancelled() : error;
    }
    const end = await ended.promise;
    // A pasta that fails half-way leaves the process that was to be inside its namespace.
    await removePasst(start);
    throw end.kind === "notStarted"
      ? cantStart(end.error.message)
      : explainPasstFailure(await textFrom(log, logStart), end.how);
  } finally {
    await log.close();
  }
}

async function isWritten(path: string): Promise<boolean> {
  try {
    return (await stat(path)).size > 0;
  } catch {
    return false;
  }
}

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

/** Ends a passt that nobody needs any more. It has mostly gone by itself, with QEMU. */
export async function endPasst(identity: ProcessIdentity): Promise<void> {
  if (await endProcess(identity, "SIGTERM")) {
    if (await waitForExit(identity, 2_000)) return;
    await endProcess(identity, "SIGKILL");
  }
}

/** Ends every passt whose socket is `socketPath`, the one inside a namespace too, and removes its files. */
export async function removePasst(
  files: Pick<PasstStart, "socketPath" | "pidFile">,
): Promise<void> {
  await Promise.all((await findPasst(files.socketPath)).map(endPasst));
  for (const path of [files.socketPath, files.pidFile])
    await rm(path, { force: true });
}

/** Every passt of this user whose socket begins with `marker`. */
export const findPasst = (marker: string): Promise<ProcessIdentity[]> =>
  findProcesses((args) => namesPasst(args, marker));

/** Ends every passt of this user with a socket in the folder `run`, but those with one of the sockets `living`. */
export async function endStrayPassts(
  run: string,
  living: readonly string[],
): Promise<void> {
  if (process.platform !== "linux") return;
  const strays = await findProcesses(
    (args) =>
      namesPasst(args, `${run}/`) &&
      !living.some((socket) => args.includes(socket)),
  );
  await Promise.all(strays.map(endPasst));
}
