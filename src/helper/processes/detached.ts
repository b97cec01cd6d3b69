import { type ChildProcess, spawn } from "node:child_process";
import type { FileHandle } from "node:fs/promises";
import { promiseWithResolvers } from "../../base/deadline.ts";
import { withPrivateMask } from "./privateMask.ts";

export interface Detached {
  readonly binary: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** Open files that it gets as 3, 4, …. */
  readonly inherit?: readonly number[];
}

/**
 * Starts a process of its own session that outlives us (B14); both its outputs go to the open file `output`.
 * Not execa: its streams and its clean-up tie a child to us. Sockets, logs and pid files are made by the process
 * itself, hence the mask.
 */
export function spawnDetached(program: Detached, output: number): ChildProcess {
  const child = withPrivateMask(() =>
    spawn(program.binary, program.args, {
      cwd: program.cwd,
      detached: true,
      stdio: ["ignore", output, output, ...(program.inherit ?? [])],
      windowsHide: true,
    }),
  );
  child.unref();
  return child;
}

export type End =
  | { readonly kind: "notStarted"; readonly error: Error }
  | { readonly kind: "exited"; readonly how: string };

export interface Ended {
  readonly promise: Promise<End>;
  readonly happened: () => boolean;
}

/** Call in the same turn as `spawnDetached`, or its end may be missed. */
export function whenEnded(child: ChildProcess): Ended {
  const { promise, resolve } = promiseWithResolvers<End>();
  let happened = false;
  const end = (how: End): void => {
    happened = true;
    resolve(how);
  };
  child.once("error", (error) => end({ kind: "notStarted", error }));
  child.once("exit", (code, signalName) =>
    end({
      kind: "exited",
      how:
        signalName === null
          ? `exit code ${String(code)}`
          : `signal ${signalName}`,
    }),
  );
  return { promise, happened: () => happened };
}

const maxOutputBytes = 16 * 1024;

/** What was written to the log since `start`, 16 KiB at most. */
export async function textFrom(
  log: FileHandle,
  start: number,
): Promise<string> {
  const buffer = Buffer.alloc(maxOutputBytes);
  const { bytesRead } = await log.read(buffer, 0, maxOutputBytes, start);
  return buffer.toString("utf8", 0, bytesRead);
}
