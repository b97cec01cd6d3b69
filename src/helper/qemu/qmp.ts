import { type Socket, createConnection } from "node:net";
import {
  DeadlineError,
  promiseWithResolvers,
  withDeadline,
} from "../../base/deadline.ts";
import type { Disposer } from "../../base/disposables.ts";
import {
  type GuesthouseError,
  cancelled,
  failed,
} from "../../protocol/failure.ts";
import { decodeMessage, lineReader } from "./qmpWire.ts";

export interface QmpVersion {
  readonly major: number;
  readonly minor: number;
  readonly micro: number;
}

export interface QmpEvent {
  /** Upper case, e.g. `SHUTDOWN`. */
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** Milliseconds since 1970, by the host's clock. */
  readonly atMs: number;
}

export interface ExecuteOptions {
  /** Default 10 s. */
  readonly timeoutMs?: number;
}

/** One connection to QEMU's monitor; QEMU serves one at a time, further ones wait in its queue. */
export interface Qmp {
  readonly version: QmpVersion;
  /**
   * Answers with the command's `return` value. Throws `qemu.monitor` when QEMU refuses (the cause is a
   * `QmpRefusal`), when the answer takes too long or the connection ends first. A late answer to a command that was
   * given up is dropped; QEMU may have carried it out all the same.
   */
  readonly execute: (
    command: string,
    args?: Readonly<Record<string, unknown>>,
    options?: ExecuteOptions,
    signal?: AbortSignal,
  ) => Promise<unknown>;
  /**
   * Events since the negotiation; those that came before the first listener are kept for it. A listener must not
   * throw.
   */
  readonly onEvent: (listener: (event: QmpEvent) => void) => Disposer;
  /** Resolves when the connection has ended, whoever ended it; never rejects. */
  readonly closed: Promise<void>;
  readonly close: () => void;
}

/** The cause of a `qemu.monitor` failure that QEMU itself answered with. */
export interface QmpRefusal {
  /** `GenericError`, `CommandNotFound`, `DeviceNotFound`, … */
  readonly errorClass: string;
  readonly description: string;
}

export interface QmpOptions {
  /** For connecting, greeting and negotiation together. */
  readonly timeoutMs: number;
}

const defaultCommandTimeoutMs = 10_000;

/**
 * Connects to the monitor of a running QEMU and leaves negotiation mode.
 * Throws `qemu.monitor` when nobody listens, when the far end doesn't speak QMP, or after `timeoutMs`.
 */
export async function connectQmp(
  socketPath: string,
  options: QmpOptions,
  signal?: AbortSignal,
): Promise<Qmp> {
  const socket = createConnection(socketPath);
  try {
    return await withDeadline(
      "Reaching QEMU's monitor",
      options.timeoutMs,
      (within) => negotiate(socket, within),
      signal,
    );
  } catch (error) {
    socket.destroy();
    throw signal?.aborted === true ? cancelled() : asMonitorFailure(error);
  }
}

function asMonitorFailure(error: unknown): unknown {
  if (!(error instanceof DeadlineError)) return error;
  return monitorFailure(
    `QEMU's monitor sent no usable answer within ${String(error.timeoutMs)} ms; QEMU hangs or another client holds the monitor.`,
    error,
  );
}

const monitorFailure = (message: string, cause?: unknown): GuesthouseError =>
  failed("qemu.monitor", message, {
    remedy: "Stop the machine by force and start it again.",
    cause,
  });

async function negotiate(socket: Socket, signal: AbortSignal): Promise<Qmp> {
  const peer = speak(socket);
  const version = await peer.greeting;
  await peer.execute("qmp_capabilities", undefined, {}, signal);
  return {
    version,
    execute: peer.execute,
    onEvent: peer.onEvent,
    closed: peer.closed,
    close: peer.close,
  };
}

interface Pending {
  readonly command: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

interface Peer extends Omit<Qmp, "version"> {
  readonly greeting: Promise<QmpVersion>;
}

/** How many events wait for the first listener. */
const maxEarlyEvents = 256;

function speak(socket: Socket): Peer {
  const greeting = promiseWithResolvers<QmpVersion>();
  const closed = promiseWithResolvers<void>();
  const pending = new Map<number, Pending>();
  const listeners = new Set<(event: QmpEvent) => void>();
  let early: QmpEvent[] | undefined = [];
  let end: GuesthouseError | undefined;
  let lastId = 0;

  const finish = (reason: GuesthouseError): void => {
    if (end !== undefined) return;
    end = reason;
    socket.destroy();
    greeting.reject(reason);
    for (const { reject } of pending.values()) reject(reason);
    pending.clear();
    closed.resolve();
  };

  const settle = (id: unknown): Pending | undefined => {
    if (typeof id !== "number") return undefined;
    const waiting = pending.get(id);
    pending.delete(id);
    return waiting;
  };

  const receive = (line: string): void => {
    const message = decodeMessage(line);
    switch (message.kind) {
      case "greeting":
        greeting.resolve(message.version);
        return;
      case "return":
        settle(message.id)?.resolve(message.value);
        return;
      case "error": {
        const { errorClass, description } = message;
        const refusal: QmpRefusal = { errorClass, description };
        const waiting = settle(message.id);
        waiting?.reject(
          monitorFailure(
            `QEMU refused ${waiting.command}: ${description}`,
            refusal,
          ),
        );
        return;
      }
      case "event": {
        const { event, data, atMs } = message;
        if (early !== undefined && early.length < maxEarlyEvents)
          early.push({ event, data, atMs });
        for (const listener of listeners) listener({ event, data, atMs });
        return;
      }
      case "garbage":
        finish(
          monitorFailure(
            `QEMU's monitor sent something that is not QMP: ${message.line.slice(0, 80)}`,
          ),
        );
        return;
    }
  };

  socket.on(
    "data",
    lineReader(receive, () =>
      finish(monitorFailure("QEMU's monitor sent a line without an end.")),
    ),
  );
  socket.on("error", (error) =>
    finish(
      monitorFailure(
        `The connection to QEMU's monitor failed: ${error.message}.`,
        error,
      ),
    ),
  );
  socket.on("close", () =>
    finish(monitorFailure("QEMU closed its monitor; it has probably ended.")),
  );

  const execute: Qmp["execute"] = async (
    command,
    args,
    options = {},
    signal,
  ) => {
    if (signal?.aborted === true) throw cancelled();
    if (end !== undefined) throw end;
    const id = ++lastId;
    const answer = promiseWithResolvers<unknown>();
    pending.set(id, { command, ...answer });
    const timeoutMs = options.timeoutMs ?? defaultCommandTimeoutMs;
    const timer = setTimeout(
      () =>
        answer.reject(
          monitorFailure(
            `QEMU did not answer ${command} within ${String(timeoutMs)} ms.`,
          ),
        ),
      timeoutMs,
    );
    const onAbort = (): void => answer.reject(cancelled());
    signal?.addEventListener("abort", onAbort, { once: true });
    socket.write(
      `${JSON.stringify({ execute: command, ...(args === undefined ? {} : { arguments: args }), id })}\r\n`,
    );
    try {
      return await answer.promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      pending.delete(id);
    }
  };

  return {
    greeting: greeting.promise,
    closed: closed.promise,
    execute,
    close: () =>
      finish(monitorFailure("The connection to QEMU's monitor was closed.")),
    onEvent: (listener) => {
      listeners.add(listener);
      for (const event of early ?? []) listener(event);
      early = undefined;
      return () => void listeners.delete(listener);
    },
  };
}
