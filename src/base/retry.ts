import { sleep } from "./deadline.ts";

export interface RetryOptions {
  /** How often at most, first try included. */
  readonly tries: number;
  /** Pause before the second try; doubles up to `maxDelayMs`. */
  readonly delayMs: number;
  readonly maxDelayMs?: number;
  /** False ends the loop with the error as it is. Default: always again. */
  readonly again?: (error: unknown) => boolean;
}

/** Calls `work` until it succeeds or tries run out; throws the last error. */
export async function retry<T>(
  options: RetryOptions,
  work: (tryNumber: number, signal: AbortSignal | undefined) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  let delayMs = options.delayMs;
  for (let tryNumber = 1; ; tryNumber++) {
    signal?.throwIfAborted();
    try {
      return await work(tryNumber, signal);
    } catch (error) {
      signal?.throwIfAborted();
      if (tryNumber >= options.tries || options.again?.(error) === false)
        throw error;
    }
    await sleep(delayMs, signal);
    delayMs = Math.min(delayMs * 2, options.maxDelayMs ?? delayMs * 2);
  }
}
