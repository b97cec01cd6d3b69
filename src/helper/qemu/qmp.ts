/*
 * One connection to a running QEMU's monitor. It owns the socket from connecting to its end, pairs each answer with the
 * command it belongs to, and hands out events. Every command ends: by its answer, its deadline, its signal, or with the
 * connection. Whoever drives a QEMU calls `connectQmp`; what a line says is decoded in qmpWire.ts.
 */
import { type Socket, createConnection } from "node:net";
import { given } from "../../base/given.ts";
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

/** One connection as it is from its first byte on: the greeting is still to come. */
interface Peer extends Omit<Qmp, "version"> {
  readonly greeting: Promise<QmpVersion>;
}

function speak(socket: Socket): Peer {
  const greeting = promiseWithResolvers<QmpVersion>();
  const closed = promiseWithResolvers<void>();
  const requests = openRequests((line) => socket.write(line));
  const events = eventFeed();

  let end: GuesthouseError | undefined;
  const finish = (reason: GuesthouseError): void => {
    if (end !== undefined) return;
    end = reason;
    socket.destroy();
    greeting.reject(reason);
    requests.failAll(reason);
    closed.resolve();
  };

  const receive = (line: string): void => {
    const message = decodeMessage(line);
    switch (message.kind) {
      case "greeting":
        greeting.resolve(message.version);
        return;
      case "return":
        requests.answer(message.id, message.value);
        return;
      case "error": {
        const { id, errorClass, description } = message;
        requests.refuse(id, { errorClass, description });
        return;
      }
      case "event": {
        const { event, data, atMs } = message;
        events.tell({ event, data, atMs });
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

  return {
    greeting: greeting.promise,
    closed: closed.promise,
    execute: async (command, args, options = {}, signal) => {
      if (signal?.aborted === true) throw cancelled();
      if (end !== undefined) throw end;
      return requests.ask(command, args, options, signal);
    },
    close: () =>
      finish(monitorFailure("The connection to QEMU's monitor was closed.")),
    onEvent: events.listen,
  };
}

interface Pending {
  readonly command: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

/** The commands that wait for QEMU's answer. An answer to one that was given up finds nobody and is dropped. */
function openRequests(send: (line: string) => void): {
  readonly ask: Qmp["execute"];
  readonly answer: (id: unknown, value: unknown) => void;
  readonly refuse: (id: unknown, refusal: QmpRefusal) => void;
  readonly failAll: (reason: GuesthouseError) => void;
} {
  const pending = new Map<number, Pending>();
  let lastId = 0;

  const take = (id: unknown): Pending | undefined => {
    if (typeof id !== "number") return undefined;
    const waiting = pending.get(id);
    pending.delete(id);
    return waiting;
  };

  return {
    async ask(command, args, options = {}, signal) {
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
      send(
        `${JSON.stringify({ execute: command, ...given({ arguments: args }), id })}\r\n`,
      );
      try {
        return await answer.promise;
      } finally {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        pending.delete(id);
      }
    },
    answer: (id, value) => take(id)?.resolve(value),
    refuse(id, refusal) {
      const waiting = take(id);
      waiting?.reject(
        monitorFailure(
          `QEMU refused ${waiting.command}: ${refusal.description}`,
          refusal,
        ),
      );
    },
    failAll(reason) {
      for (const { reject } of pending.values()) reject(reason);
      pending.clear();
    },
  };
}

/** How many events wait for the first listener. */
const maxEarlyEvents = 256;

/** Hands events to all listeners, and those that came before the first listener to that one. */
function eventFeed(): {
  readonly tell: (event: QmpEvent) => void;
  readonly listen: Qmp["onEvent"];
} {
  const listeners = new Set<(event: QmpEvent) => void>();
  let early: QmpEvent[] | undefined = [];
  return {
    tell(event) {
      if (early !== undefined && early.length < maxEarlyEvents)
        early.push(event);
      for (const listener of listeners) listener(event);
    },
    listen(listener) {
      listeners.add(listener);
      for (const event of early ?? []) listener(event);
      early = undefined;
      return () => void listeners.delete(listener);
    },
  };
}
