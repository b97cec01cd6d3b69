import { randomBytes } from "node:crypto";
import { DeadlineError, withDeadline } from "../../../base/deadline.ts";
import { bug, GuesthouseError } from "../../../protocol/failure.ts";
import { withAgent } from "../agent/agent.ts";
import {
  decodeAnswer,
  encodeMessage,
  handoffVersion,
  partsOf,
  type FailedPart,
  type HandoffAnswer,
  type HandoffIdentity,
  type HandoffMessage,
} from "./message.ts";
import { type HandoffPort, openHandoffPort } from "./port.ts";

/** How the identity got into the guest, or why not. Only `applied` makes it ready (B38). */
export type HandoffOutcome =
  | ({ readonly kind: "applied" } & HandoffReport)
  | ({ readonly kind: "partly" } & HandoffReport & {
        /** Never empty. */
        readonly failed: readonly FailedPart[];
      })
  | { readonly kind: "refusedVersion"; readonly supports: number | undefined }
  /** `why` is a plain sentence. */
  | { readonly kind: "noAnswer"; readonly why: string };

export interface HandoffReport {
  readonly by: "service" | "agent";
  readonly applied: readonly string[];
  /** In the guest. */
  readonly tookMs: number;
  /** Guest minus host, when the last answer arrived. */
  readonly clockOffsetMs: number;
  readonly sshd: boolean;
}

/**
 * One handoff to one guest, from before its resume to after it (B36):
 * `openHandoff` → `send` → (resume) → `awaitOutcome` → without an answer `applyByAgent` → `close` always.
 */
export interface Handoff {
  /**
   * Queues the identity, which the guest finds when it runs; nonce, clock and entropy are added. Answers with the whole
   * message. Throws `machines.handoffFailed` when the port takes nothing.
   */
  send(identity: HandoffIdentity): HandoffMessage;
  /**
   * Waits for the answer to what was sent. A guest whose clock is late by then, as on a busy host, is set right by a
   * second message. Throws only the signal's reason.
   */
  awaitOutcome(
    options: { readonly timeoutMs: number },
    signal?: AbortSignal,
  ): Promise<HandoffOutcome>;
  /** May be called twice. */
  close(): void;
}

/** Opens a machine's handoff port at the host's end. What an earlier guest wrote there is thrown away. */
export async function openHandoff(fifoPath: string): Promise<Handoff> {
  const answers = new Answers();
  const port = await openHandoffPort(fifoPath, (line) => answers.take(line));
  let message: HandoffMessage | undefined;
  return {
    send: (identity) => {
      message = {
        ...identity,
        guesthouse: handoffVersion,
        nonce: newNonce(),
        timeNs: now(),
        entropy: randomBytes(entropyBytes).toString("base64"),
      };
      answers.expect(message.nonce);
      port.write(encodeMessage(message));
      return message;
    },
    awaitOutcome: (options, signal) => {
      if (message === undefined)
        throw bug("An answer is awaited to a handoff that was not sent.");
      return awaitOutcome(
        { port, answers },
        message,
        options.timeoutMs,
        signal,
      );
    },
    close: () => port.close(),
  };
}

/** A clock that is farther off at the answer is set again. */
const clockToleranceMs = 200;
const clockTimeoutMs = 3_000;
const entropyBytes = 64;

const nanosecondsPerMs = 1_000_000n;
const now = (): string => String(BigInt(Date.now()) * nanosecondsPerMs);
const offsetMs = (timeNs: string): number =>
  Number(BigInt(timeNs) / nanosecondsPerMs) - Date.now();
const newNonce = (): string => randomBytes(16).toString("hex");

async function awaitOutcome(
  { port, answers }: { readonly port: HandoffPort; readonly answers: Answers },
  message: HandoffMessage,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<HandoffOutcome> {
  const answer = await answers.wait(timeoutMs, signal);
  if (answer === undefined)
    return {
      kind: "noAnswer",
      why: `The guest did not answer within ${String(timeoutMs)} ms.`,
    };
  const outcome = outcomeOf(message, answer, "service");
  if (
    answer.outcome === "refused" ||
    !("clockOffsetMs" in outcome) ||
    Math.abs(outcome.clockOffsetMs) <= clockToleranceMs
  )
    return outcome;
  const nonce = newNonce();
  answers.expect(nonce);
  port.write(
    encodeMessage({ guesthouse: handoffVersion, nonce, timeNs: now() }),
  );
  const later = await answers.wait(clockTimeoutMs, signal);
  return later?.outcome === "applied"
    ? { ...outcome, clockOffsetMs: offsetMs(later.timeNs) }
    : outcome;
}

/** The answers of one guest, of which one at a time is waited for; only its nonce tells it. It may come early. */
class Answers {
  #nonce: string | undefined;
  #answer: HandoffAnswer | undefined;
  #wake: (() => void) | undefined;

  expect(nonce: string): void {
    this.#nonce = nonce;
    this.#answer = undefined;
  }

  take(line: string): void {
    const answer = decodeAnswer(line);
    if (answer === undefined || answer.nonce !== this.#nonce) return;
    this.#answer ??= answer;
    this.#wake?.();
  }

  async wait(
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<HandoffAnswer | undefined> {
    try {
      await withDeadline(
        "the handoff",
        timeoutMs,
        () =>
          new Promise<void>((resolve) => {
            if (this.#answer === undefined) this.#wake = resolve;
            else resolve();
          }),
        signal,
      );
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof DeadlineError)) throw error;
    } finally {
      this.#wake = undefined;
    }
    return this.#answer;
  }
}

/** An agent that is there answers within a second, even emulated. */
const agentCallMs = 3_000;

/**
 * The same message through the guest agent, for a guest whose service did not answer (B37). Its nonce keeps the service
 * from applying the message a second time when it wakes up later. Throws only the signal's reason.
 */
export async function applyByAgent(
  agentSocket: string,
  message: HandoffMessage,
  options: { readonly timeoutMs: number },
  signal?: AbortSignal,
): Promise<HandoffOutcome> {
  const { timeoutMs } = options;
  try {
    const { code, stdout, stderr } = await withDeadline(
      "the handoff through the guest agent",
      timeoutMs,
      (within) =>
        withAgent(
          agentSocket,
          { timeoutMs: Math.min(agentCallMs, timeoutMs) },
          (agent) =>
            agent.exec(
              ["/usr/lib/guesthouse/handoff", "--once"],
              {
                timeoutMs,
                input: encodeMessage({ ...message, timeNs: now() }).toString(),
              },
              within,
            ),
          within,
        ),
      signal,
    );
    const answer = decodeAnswer(stdout);
    if (answer?.nonce === message.nonce)
      return outcomeOf(message, answer, "agent");
    const said = stderr.trim().split("\n").at(-1) ?? "";
    return {
      kind: "noAnswer",
      why: `The guest agent ran the handoff, which ended with code ${String(code)}: ${said}.`,
    };
  } catch (error) {
    signal?.throwIfAborted();
    return noAnswer(error, timeoutMs);
  }
}

/** What it means that the agent did not get it done; what is no failure of the guest's is thrown again. */
export function noAnswer(error: unknown, timeoutMs: number): HandoffOutcome {
  if (error instanceof DeadlineError)
    return {
      kind: "noAnswer",
      why: `The guest agent did not apply the handoff within ${String(timeoutMs)} ms.`,
    };
  if (!(error instanceof GuesthouseError)) throw error;
  return { kind: "noAnswer", why: error.failure.message };
}

function outcomeOf(
  message: HandoffMessage,
  answer: HandoffAnswer,
  by: HandoffReport["by"],
): HandoffOutcome {
  if (answer.outcome === "refused")
    return answer.reason === "version"
      ? { kind: "refusedVersion", supports: answer.supports }
      : {
          kind: "partly",
          failed: [{ what: "message", why: answer.why ?? answer.reason }],
          ...{ by, applied: [], tookMs: 0, clockOffsetMs: 0, sshd: false },
        };
  const { applied, tookMs, timeNs, sshd } = answer;
  const told = new Set([...applied, ...answer.failed.map(({ what }) => what)]);
  const unknown = partsOf(message)
    .filter((part) => !told.has(part))
    .map((what) => ({ what, why: "the guest's service doesn't know it" }));
  const faults = [...answer.failed, ...unknown];
  const report = { by, applied, tookMs, clockOffsetMs: offsetMs(timeNs), sshd };
  return faults.length === 0
    ? { kind: "applied", ...report }
    : { kind: "partly", ...report, failed: faults };
}
