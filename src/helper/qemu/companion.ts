/*
 * Programs that serve one QEMU each, passt and swtpm. They outlive the helper as QEMU does and end with their QEMU; one that
 * is left over is known by its socket's path and ended by whoever takes over. `qemu/swtpm.ts` and `networks` start them.
 */
import { open, rm, stat } from "node:fs/promises";
import { sleep } from "../../base/deadline.ts";
import { cancelled, type GuesthouseError } from "../../protocol/failure.ts";
import { spawnDetached, textFrom, whenEnded } from "../processes/detached.ts";
import {
  endProcess,
  findProcesses,
  type ProcessIdentity,
  processIdentity,
  waitForExit,
} from "./process.ts";

/** Where a program that serves one QEMU is met and what it leaves. */
export interface CompanionFiles {
  /** Where QEMU meets it. Also what its command line is recognised by. */
  readonly socketPath: string;
  /** Written once everything is set up. */
  readonly pidFile: string;
}

export interface CompanionStart extends CompanionFiles {
  readonly command: {
    readonly binary: string;
    readonly args: readonly string[];
  };
  /** Gets its own messages, appended. */
  readonly logPath: string;
  readonly cwd: string;
}

/** What tells the companions of one kind from others. */
export interface CompanionKind {
  /** Is this the command line of one whose socket begins with `marker`? */
  readonly names: (args: readonly string[], marker: string) => boolean;
  /** Why it ended before it waited for QEMU. `exit` says how: `exit code 1`. */
  readonly explain: (output: string, exit: string) => GuesthouseError;
}

const isAborted = (signal: AbortSignal | undefined): boolean =>
  signal?.aborted === true;

const startTimeoutMs = 10_000;
const readyPollMs = 4;

/**
 * Starts a program that serves one QEMU as a process of its own session, which outlives us as QEMU does (B14), and
 * returns once it waits on its socket. It is told by its arguments to end when QEMU goes. Throws what `kind` makes of
 * the program's words, and nothing stays behind then.
 */
export async function startCompanion(
  kind: CompanionKind,
  start: CompanionStart,
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
      // Not by trying the socket: the first client is the only one. The pid file is the last thing that it sets up.
      while (!ended.happened()) {
        if (await isWritten(start.pidFile)) {
          const identity = await processIdentity(child.pid ?? 0);
          if (identity !== undefined) return identity;
        }
        if (Date.now() > deadline)
          throw kind.explain("", "it did not open its socket in time");
        await sleep(readyPollMs, signal);
      }
    } catch (error) {
      child.kill("SIGKILL");
      await removeCompanion(kind, start);
      throw isAborted(signal) ? cancelled() : error;
    }
    const end = await ended.promise;
    // One that fails half-way may leave a process of its own.
    await removeCompanion(kind, start);
    throw end.kind === "notStarted"
      ? kind.explain("", end.error.message)
      : kind.explain(await textFrom(log, logStart), end.how);
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

/** Ends one that nobody needs any more. It has mostly gone by itself, with QEMU. */
export async function endCompanion(identity: ProcessIdentity): Promise<void> {
  if (await endProcess(identity, "SIGTERM")) {
    if (await waitForExit(identity, 2_000)) return;
    await endProcess(identity, "SIGKILL");
  }
}

/** Ends every one whose socket is `socketPath` and removes its files. */
export async function removeCompanion(
  kind: CompanionKind,
  files: CompanionFiles,
): Promise<void> {
  const found = await findCompanions(kind, files.socketPath);
  await Promise.all(found.map(endCompanion));
  for (const path of [files.socketPath, files.pidFile])
    await rm(path, { force: true });
}

/** Every one of this user whose socket begins with `marker`. */
export const findCompanions = (
  kind: CompanionKind,
  marker: string,
): Promise<ProcessIdentity[]> =>
  findProcesses((args) => kind.names(args, marker));

/** Ends every one of this user with a socket in the folder `run`, but those with one of the sockets `living`. */
export async function endStrayCompanions(
  kind: CompanionKind,
  run: string,
  living: readonly string[],
): Promise<void> {
  const strays = await findProcesses(
    (args) =>
      kind.names(args, `${run}/`) &&
      !living.some((socket) => kind.names(args, socket)),
  );
  await Promise.all(strays.map(endCompanion));
}
