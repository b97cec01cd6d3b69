import type { Log } from "../../../base/log.ts";

/** Changes come in swarms. */
const nudgeMs = 500;

/** Has something looked after again and again: one look at a time, and soon after each nudge. */
export class Lookout {
  readonly #look: () => Promise<void>;
  readonly #log: Log;
  readonly #end: AbortSignal;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(look: () => Promise<void>, log: Log, end: AbortSignal) {
    this.#look = look;
    this.#log = log;
    this.#end = end;
  }

  nudge(inMs = nudgeMs): void {
    if (this.#end.aborted) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.now(), inMs);
    this.#timer.unref();
  }

  /** After an earlier look, if one is under way. */
  now(): Promise<void> {
    clearTimeout(this.#timer);
    this.#looking = this.#looking.then(this.#look).catch((error: unknown) => {
      this.#log.warn("looking after the pool failed", { error });
    });
    return this.#looking;
  }

  /** Answers when the last look is over; `end` must have fired. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#looking;
  }
}
