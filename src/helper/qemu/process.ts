/*
 * QEMU as a process of the system. It outlives the helper that started it, so nobody here owns it: whoever starts one keeps
 * its identity, and whoever signals one asks first whether it is still that very process (pid, start time, socket).
 * `machines` and `images` start and end QEMU by this file; companions are told from others by the same identities.
 */
import type { ChildProcess } from "node:child_process";
import { open } from "node:fs/promises";
import { sleep } from "../../base/deadline.ts";
import { hasErrorCode } from "../../base/files.ts";
import { bug, cancelled, failed } from "../../protocol/failure.ts";
import {
  type Ended,
  spawnDetached,
  textFrom,
  whenEnded,
} from "../processes/detached.ts";
import type { ProcessUsage } from "../processes/facts.ts";
import { processTable } from "../processes/table.ts";
import { type Qmp, connectQmp } from "./qmp.ts";
import { explainStartFailure } from "./startFailure.ts";

/** A process that can't be mistaken for a later one with the same number (B15). */
export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque; equal for the same process only, across reboots too. */
  readonly startTime: string;
}

export interface Launch {
  readonly binary: string;
  readonly args: readonly string[];
  /** Gets QEMU's own messages, appended. */
  readonly logPath: string;
  readonly cwd: string;
  /** The one named in `args`; the launch is over when QEMU answers there. */
  readonly qmpSocket: string;
  /** Open files that QEMU gets as 3, 4, …: the way to a saved state, since Node can't pass them over a socket. */
  readonly inherit?: readonly number[];
  /** Default 30 s. */
  readonly timeoutMs?: number;
}

/** Number in QEMU of the first of `Launch.inherit`. */
export const firstInherited = 3;

export interface LaunchedQemu extends ProcessIdentity {
  /** QEMU serves one monitor connection at a time: this is it. */
  readonly qmp: Qmp;
}

/**
 * Starts QEMU as a process of its own session that outlives us (B14) and returns once its monitor answers, which it
 * does only when every device, disk and port has been set up.
 * Throws `machines.portTaken`, `machines.startFailed` (with QEMU's words), `images.broken`, `host.diskFull` when it
 * ends instead, `host.toolMissing` without the binary. On abort or timeout QEMU is killed again.
 */
export async function launchQemu(
  launch: Launch,
  signal?: AbortSignal,
): Promise<LaunchedQemu> {
  if (signal?.aborted === true) throw cancelled();
  const log = await open(launch.logPath, "a+", 0o600);
  try {
    const { size: logStart } = await log.stat();
    const child = spawnDetached(launch, log.fd);
    const ended = whenEnded(child);
    try {
      const qmp = await firstAnswer(launch, ended, signal);
      if (qmp !== undefined) return { ...(await identityOf(child)), qmp };
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    }
    const end = await ended.promise;
    if (end.kind === "notStarted") throw missing(launch.binary, end.error);
    throw explainStartFailure(await textFrom(log, logStart), end.how);
  } finally {
    await log.close();
  }
}

const defaultLaunchTimeoutMs = 30_000;

/**
 * QEMU makes its socket some milliseconds after it starts: connect anew until it is there. Undefined when it ends
 * instead.
 */
async function firstAnswer(
  launch: Launch,
  ended: Ended,
  signal: AbortSignal | undefined,
): Promise<Qmp | undefined> {
  const deadline = Date.now() + (launch.timeoutMs ?? defaultLaunchTimeoutMs);
  const stop = new AbortController();
  const both =
    signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  void ended.promise.then(() => stop.abort());
  for (;;) {
    const leftMs = deadline - Date.now();
    try {
      return await connectQmp(
        launch.qmpSocket,
        { timeoutMs: Math.max(leftMs, 1) },
        both,
      );
    } catch (error) {
      if (signal?.aborted === true) throw cancelled();
      if (ended.happened()) return undefined;
      if (leftMs <= connectPauseMs) throw stuck(error);
    }
    await sleep(connectPauseMs, both).catch(() => undefined);
  }
}

const connectPauseMs = 5;

const stuck = (cause: unknown): Error =>
  failed(
    "machines.startFailed",
    "QEMU started, but its monitor did not answer in time; it was ended again.",
    {
      remedy:
        "The host may be overloaded. Try again, and run the doctor if it stays so.",
      actions: ["retry", "doctor"],
      cause,
    },
  );

const missing = (binary: string, cause: Error): Error =>
  failed(
    "host.toolMissing",
    `QEMU can't be started: ${binary}: ${cause.message}.`,
    {
      remedy: "Run the doctor; it says how QEMU is installed on this system.",
      actions: ["doctor", "installTools"],
      cause,
    },
  );

async function identityOf(child: ChildProcess): Promise<ProcessIdentity> {
  const { pid } = child;
  if (pid === undefined) throw bug("A started process has no number.");
  const identity = await processIdentity(pid);
  if (identity === undefined)
    throw failed(
      "machines.startFailed",
      "QEMU ended right after its monitor had answered.",
      {
        remedy: "Look into the machine's log and start it again.",
        actions: ["showLog", "retry"],
      },
    );
  return identity;
}

/** The process that has this number now; undefined when none has, or a zombie. */
export async function processIdentity(
  pid: number,
): Promise<ProcessIdentity | undefined> {
  const startTime = await (await processTable()).startTime(pid);
  return startTime === undefined ? undefined : { pid, startTime };
}

/** Does this very process still run? */
export async function isSameProcess(
  identity: ProcessIdentity,
): Promise<boolean> {
  return (
    (await (await processTable()).startTime(identity.pid)) ===
    identity.startTime
  );
}

/** Same process, still a QEMU, and an argument of its command line has `marker`: the path of the QMP socket (B15). */
export async function isOurQemu(
  identity: ProcessIdentity,
  marker: string,
): Promise<boolean> {
  return (
    (await isSameProcess(identity)) && (await isQemuWith(identity.pid, marker))
  );
}

async function isQemuWith(pid: number, marker: string): Promise<boolean> {
  const args = await (await processTable()).commandLine(pid);
  return args !== undefined && namesQemu(args, marker);
}

/**
 * Is this the command line of a QEMU that was given `marker`? Other programs may name the same socket, `socat` or an
 * editor with the log open: they are not ours to touch. Pure.
 */
export function namesQemu(args: readonly string[], marker: string): boolean {
  // QEMU doubles the commas of a value.
  const escaped = marker.replaceAll(",", ",,");
  return (
    /qemu/i.test(args[0] ?? "") && args.some((arg) => arg.includes(escaped))
  );
}

/** All QEMU processes of this user whose command line names `marker`: adoption where the handles file is lost (B15). */
export const findQemu = (marker: string): Promise<ProcessIdentity[]> =>
  findProcesses((args) => namesQemu(args, marker));

/** All processes of this user, but us, whose arguments are `wanted`. */
export async function findProcesses(
  wanted: (args: readonly string[]) => boolean,
): Promise<ProcessIdentity[]> {
  const pids = await (await processTable()).mine();
  const found = await Promise.all(
    pids
      .filter((pid) => pid !== process.pid)
      .map(async (pid) => {
        const args = await (await processTable()).commandLine(pid);
        return args !== undefined && wanted(args)
          ? await processIdentity(pid)
          : undefined;
      }),
  );
  return found.filter((identity) => identity !== undefined);
}

/** Sends the signal only while it is still the same process; false when that one is gone. */
export async function endProcess(
  identity: ProcessIdentity,
  signalName: "SIGTERM" | "SIGKILL",
): Promise<boolean> {
  if (!(await isSameProcess(identity))) return false;
  try {
    process.kill(identity.pid, signalName);
    return true;
  } catch (error) {
    if (hasErrorCode(error, "ESRCH")) return false;
    throw error;
  }
}

const exitPollMs = 20;

/** True when the process is gone, false when it still runs after `timeoutMs`. Works for processes of other parents. */
export async function waitForExit(
  identity: ProcessIdentity,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (await isSameProcess(identity)) {
    if (Date.now() >= deadline) return false;
    await sleep(exitPollMs, signal);
  }
  return true;
}

/** Processor time and memory of a process; undefined when it is gone. */
export const processUsage = (pid: number): Promise<ProcessUsage | undefined> =>
  processTable().then((table) => table.usage(pid));
