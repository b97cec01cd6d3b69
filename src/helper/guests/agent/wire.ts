/*
 * One connection to one guest agent: it owns the socket and the order of calls on it. A call gets its own answer or none:
 * whatever an earlier client left is thrown away first, and a timeout breaks the wire for good. Only agent.ts makes one.
 */
import { randomInt } from "node:crypto";
import { connect, type Socket } from "node:net";
import * as z from "zod";
import {
  DeadlineError,
  promiseWithResolvers,
  withDeadline,
} from "../../../base/deadline.ts";
import {
  failed,
  refused,
  type GuesthouseError,
} from "../../../protocol/failure.ts";

import { jsonOrNothing, words } from "./guestAnswer.ts";

/** Makes the agent's parser, and ours, forget half a message of an earlier client. No valid UTF-8 contains it. */
const flushByte = 0xff;

const lineEnd = 0x0a;

/** One guest-exec with its output may be large; more than this is an agent gone mad. */
const maxLineBytes = 64 * 1024 * 1024;

/** One connection to one agent: line-wise JSON, one call at a time. Broken once, broken for good. */
export class AgentWire {
  readonly #socket: Socket;
  readonly #timeoutMs: number;
  /** What came and was not delivered yet, in pieces: a large answer comes in hundreds of them. */
  #pieces: Buffer[] = [];
  #bytes = 0;
  #waiter: ((line: string) => void) | undefined;
  #broken: string | undefined;
  readonly #ended = promiseWithResolvers<never>();
  #queue: Promise<unknown> = Promise.resolve();

  constructor(socketPath: string, timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
    this.#socket = connect(socketPath);
    this.#socket.on("data", (chunk) => this.#take(chunk));
    this.#socket.on("error", (error) => this.#break(error.message));
    this.#socket.on("close", () => this.#break("the connection was closed"));
  }

  /** `guest-sync-delimited`: everything up to its marked answer belongs to somebody before us. */
  synchronise(signal?: AbortSignal): Promise<void> {
    const id = randomInt(1, 2 ** 31);
    return this.#run(
      "guest-sync-delimited",
      async () => {
        this.#socket.write(Buffer.of(flushByte));
        this.#send("guest-sync-delimited", { id });
        for (;;) {
          const line = await this.#nextLine();
          if (answerOf(line)?.return === id) return;
        }
      },
      this.#timeoutMs,
      signal,
    );
  }

  /** The command's `return`. Times out by itself; a timeout breaks the wire, as the answer may still come. */
  call(
    command: string,
    args: Readonly<Record<string, unknown>> = {},
    signal?: AbortSignal,
    timeoutMs = this.#timeoutMs,
  ): Promise<unknown> {
    return this.#run(
      command,
      async () => {
        this.#send(command, args);
        const answer = answerOf(await this.#nextLine());
        if (answer === undefined)
          throw new Error("it sent neither a result nor an error");
        if (answer.error !== undefined)
          throw agentRefused(command, answer.error);
        return answer.return;
      },
      timeoutMs,
      signal,
    );
  }

  /** Sends a command that a healthy agent never answers; an error answer within `waitMs` is thrown. */
  async callWithoutAnswer(
    command: string,
    args: Readonly<Record<string, unknown>>,
    waitMs: number,
    signal?: AbortSignal,
  ): Promise<void> {
    try {
      await this.call(command, args, signal, waitMs);
    } catch (error) {
      signal?.throwIfAborted();
      if (isRefusal(error)) throw error;
    }
  }

  close(): void {
    this.#break("it was closed on our side");
    this.#socket.destroy();
  }

  #run<T>(
    command: string,
    work: () => Promise<T>,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<T> {
    const mine = this.#queue.then(async () => {
      if (this.#broken !== undefined) throw agentBroken(command, this.#broken);
      try {
        return await withDeadline(
          command,
          timeoutMs,
          () => Promise.race([work(), this.#ended.promise]),
          signal,
        );
      } catch (error) {
        if (isRefusal(error)) throw error;
        const reason =
          error instanceof DeadlineError
            ? `it did not answer within ${String(timeoutMs)} ms`
            : error instanceof Error
              ? error.message
              : String(error);
        this.#break(reason);
        signal?.throwIfAborted();
        throw agentBroken(command, reason);
      }
    });
    this.#queue = mine.catch(() => undefined);
    return mine;
  }

  #send(command: string, args: Readonly<Record<string, unknown>>): void {
    const message = JSON.stringify({ execute: command, arguments: args });
    this.#socket.write(`${message}\n`);
  }

  #nextLine(): Promise<string> {
    return new Promise((resolve) => {
      this.#waiter = resolve;
      this.#deliver();
    });
  }

  #take(chunk: Buffer): void {
    // Whatever precedes a flush byte is the rest of an older conversation.
    const flushed = chunk.lastIndexOf(flushByte);
    if (flushed >= 0) this.#keep([]);
    const piece = chunk.subarray(flushed + 1);
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#bytes > maxLineBytes)
      this.#break("it sent a line without an end");
    else if (piece.includes(lineEnd)) this.#deliver();
  }

  #keep(pieces: Buffer[]): void {
    this.#pieces = pieces;
    this.#bytes = pieces.reduce((sum, { length }) => sum + length, 0);
  }

  #deliver(): void {
    while (
      this.#waiter !== undefined &&
      this.#pieces.some((piece) => piece.includes(lineEnd))
    ) {
      const buffer = Buffer.concat(this.#pieces);
      const end = buffer.indexOf(lineEnd);
      const line = buffer.toString("utf8", 0, end).trim();
      this.#keep([buffer.subarray(end + 1)]);
      if (line === "") continue;
      const waiter = this.#waiter;
      this.#waiter = undefined;
      waiter(line);
    }
  }

  #break(reason: string): void {
    if (this.#broken !== undefined) return;
    this.#broken = reason;
    this.#waiter = undefined;
    this.#ended.reject(new Error(reason));
    this.#socket.destroy();
  }
}

const answerSchema = z
  .object({
    return: z.unknown().optional(),
    error: z.looseObject({ desc: words.optional() }).optional(),
  })
  .refine((answer) => "return" in answer || "error" in answer);

/** What one line says (qemu-ga-ref), or undefined for anything else: guests can write what they like. */
const answerOf = (line: string): z.infer<typeof answerSchema> | undefined =>
  answerSchema.safeParse(jsonOrNothing(line)).data;

const refusals = new WeakSet<Error>();
const isRefusal = (error: unknown): boolean =>
  error instanceof Error && refusals.has(error);

function agentRefused(
  command: string,
  error: { readonly desc?: string | undefined },
): GuesthouseError {
  const detail = error.desc ?? JSON.stringify(error).slice(0, 500);
  const refusal = refused(
    "machines.notReady",
    `The guest agent refused ${command}: ${detail}.`,
    {
      remedy:
        "Look at the agent's configuration in the guest; some distributions forbid commands by default.",
    },
  );
  refusals.add(refusal);
  return refusal;
}

const agentBroken = (command: string, reason: string): GuesthouseError =>
  failed(
    "machines.notReady",
    `The guest agent can't be reached for ${command}: ${reason}.`,
    {
      remedy:
        "Wait until the guest has booted, or check that qemu-guest-agent runs in it.",
      actions: ["showDiagnosis", "retry"],
    },
  );
