/*
 * Keeps git in running guests connected with the credentials of this computer, where the user of a workspace said so: after a
 * start, a resume, a rebuild and a renewal of the helper, and again whenever a connection broke. Owns one SSH session for
 * each such machine, into the dev container where it has one. No machine is ever started for it. Called by the daemon and
 * by `up`.
 */
import type { Readable, Writable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import { promiseWithResolvers, sleep } from "../../../base/deadline.ts";
import type { Log } from "../../../base/log.ts";
import { visible } from "../../../base/visible.ts";
import { failed } from "../../../protocol/failure.ts";
import type { Machine } from "../../../protocol/machines.ts";
import { connectSsh, type SshSession } from "../../ssh/session.ts";
import type { SshTarget } from "../../ssh/target.ts";
import { answerLine, askedOf, type CredentialQuestion } from "./ask.ts";
import { residentScript, stillThere } from "./guestScripts.ts";

export interface GitCredentialsDeps {
  /** Where the user of a running machine works; undefined for one that doesn't run, or isn't to be told anything. */
  readonly target: (machine: string) => Promise<SshTarget | undefined>;
  /** What is answered; see `credentialsFor`. */
  readonly credentials: (
    machine: string,
    question: CredentialQuestion,
    signal: AbortSignal,
  ) => Promise<[name: string, value: string][]>;
  readonly log: Log;
}

/** One machine that is connected, or being connected. */
interface Held {
  readonly controller: AbortController;
  /** Settles with the attempt to connect that is under way, or the next one. */
  attempt: ReturnType<typeof promiseWithResolvers<void>>;
  /** Ends the pause before the next attempt. */
  hurry: AbortController;
}

const firstPauseMs = 500;
const longestPauseMs = 60_000;
/** A connection that lasted so long was one: after a shorter one the pause grows. */
const lastingMs = 60_000;
/** A guest that asks for more at once is not answered. */
const mostQuestions = 16;
/** Each question starts programs here. */
const betweenQuestionsMs = 250;
const longestLine = 8_192;

export class GitCredentials {
  readonly #deps: GitCredentialsDeps;
  readonly #held = new Map<string, Held>();

  constructor(deps: GitCredentialsDeps) {
    this.#deps = deps;
  }

  /** Machines that are connected, or being connected. */
  get size(): number {
    return this.#held.size;
  }

  /** Connects it, if that is not done; one that isn't to be told anything is let go. Throws why it can't be connected. */
  async ensure(machine: string): Promise<void> {
    const held = this.#hold(machine);
    held.hurry.abort();
    await held.attempt.promise;
  }

  /** Something is news of this machine. */
  changed({ id, state }: Pick<Machine, "id" | "state">): void {
    if (state.kind === "running") this.#hold(id);
  }

  release(machine: string): void {
    this.#held.get(machine)?.controller.abort();
    this.#held.delete(machine);
  }

  close(): void {
    for (const machine of [...this.#held.keys()]) this.release(machine);
  }

  #hold(machine: string): Held {
    const known = this.#held.get(machine);
    if (known !== undefined) return known;
    const held: Held = {
      controller: new AbortController(),
      attempt: promiseWithResolvers<void>(),
      hurry: new AbortController(),
    };
    this.#held.set(machine, held);
    void this.#keep(machine, held).finally(() => {
      held.attempt.resolve();
      if (this.#held.get(machine) === held) this.#held.delete(machine);
    });
    return held;
  }

  /** Until the machine ends, or this helper, or it isn't to be told anything any more. */
  async #keep(machine: string, held: Held): Promise<void> {
    const { signal } = held.controller;
    let pauseMs = firstPauseMs;
    for (;;) {
      const startedAt = performance.now();
      try {
        const target = await this.#deps.target(machine);
        if (target === undefined) return;
        const session = await connectSsh(target, {}, signal);
        const onReady = (): void => held.attempt.resolve();
        await this.#serve(machine, { session, onReady }, signal).finally(() =>
          session.close(),
        );
        held.attempt.resolve();
      } catch (error) {
        if (signal.aborted) return;
        const { log } = this.#deps;
        log.info("git in a guest isn't connected", { machine, error });
        held.attempt.reject(error);
      }
      held.attempt = promiseWithResolvers<void>();
      held.hurry = new AbortController();
      if (performance.now() - startedAt > lastingMs) pauseMs = firstPauseMs;
      await this.#pause(pauseMs, held);
      if (signal.aborted) return;
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
    }
  }

  async #pause(
    pauseMs: number,
    { controller, hurry }: Pick<Held, "controller" | "hurry">,
  ): Promise<void> {
    const end = (): void => hurry.abort();
    controller.signal.addEventListener("abort", end, { once: true });
    await sleep(pauseMs, hurry.signal).catch(() => undefined);
    controller.signal.removeEventListener("abort", end);
  }

  /** Ends with the connection. */
  async #serve(
    machine: string,
    {
      session,
      onReady,
    }: { readonly session: SshSession; readonly onReady: () => void },
    signal: AbortSignal,
  ): Promise<void> {
    const command = await session.start(residentScript(), signal);
    command.stdin.on("error", () => undefined);
    const answer = this.#answering(machine, command.stdin, signal);
    onLine(
      command.stdout,
      (line) => {
        if (line === "ready") onReady();
        else answer(line);
      },
      () => command.stop(),
    );
    const ping = setInterval(() => command.stdin.write(stillThere), lastingMs);
    const { code, stderr } = await command.ended.finally(() =>
      clearInterval(ping),
    );
    if (code !== 0)
      throw failed(
        "workspaces.setupFailed",
        `git in the guest can't ask this computer for credentials: ${visible(stderr.trim().slice(-300)) || `exit code ${String(code)}`}.`,
        { remedy: "Check that its home folder can be written to." },
      );
  }

  /** One question after the other, with pauses: no guest keeps this computer busy, nor has it keep what it won't answer. */
  #answering(
    machine: string,
    to: Writable,
    signal: AbortSignal,
  ): (line: string) => void {
    let waiting = 0;
    let last: Promise<void> = Promise.resolve();
    const say = (...answer: Parameters<typeof answerLine>): void => {
      // Whoever doesn't read isn't written to.
      if (to.writableLength < longestLine) to.write(answerLine(...answer));
    };
    return (line) => {
      const asked = askedOf(line);
      if (asked === undefined) return;
      const { id, question } = asked;
      if (question === undefined || waiting >= mostQuestions) {
        say(id, []);
        return;
      }
      waiting += 1;
      last = last.then(async () => {
        const known = this.#deps.credentials(machine, question, signal);
        say(id, await known.catch(() => []));
        await sleep(betweenQuestionsMs, signal).catch(() => undefined);
        waiting -= 1;
      });
    };
  }
}

/** `tooLong` is called where a line has no end: no program of ours writes one. */
function onLine(
  stream: Readable,
  each: (line: string) => void,
  tooLong: () => void,
): void {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  stream.on("data", (chunk: Buffer) => {
    const lines = (rest + decoder.write(chunk)).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) each(line);
    if (rest.length > longestLine) tooLong();
  });
}
