import { setTimeout as delay } from "node:timers/promises";

/** Thrown by `withDeadline`; rooms turn it into a failure that says what was waited for. */
export class DeadlineError extends Error {
  readonly timeoutMs: number;
  constructor(what: string, timeoutMs: number) {
    super(`${what} took longer than ${String(timeoutMs)} ms`);
    this.name = "DeadlineError";
    this.timeoutMs = timeoutMs;
  }
}

/**
 * Runs `work` with a signal that fires on the caller's abort or after `timeoutMs`, whichever comes first.
 * Throws `DeadlineError` on the latter, the signal's reason on the former, even when `work` ignores its signal.
 */
export async function withDeadline<T>(
  what: string,
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  signal?.throwIfAborted();
  const { promise: ended, reject } = promiseWithResolvers<never>();
  const limit = limited(what, timeoutMs, signal);
  limit.signal.addEventListener("abort", () => reject(limit.signal.reason));
  try {
    return await Promise.race([work(limit.signal), ended]);
  } finally {
    limit.lift();
  }
}

/**
 * A signal that fires with the caller's, or after `timeoutMs`. `AbortSignal.any` of a timeout that has no other reference never
 * fires, once Node 20's garbage collector has taken that.
 */
export function abortAfter(
  timeoutMs: number,
  signal?: AbortSignal,
): AbortSignal {
  if (signal?.aborted === true) return signal;
  const limit = limited("this", timeoutMs, signal);
  limit.timer.unref();
  return limit.signal;
}

interface Limit {
  readonly signal: AbortSignal;
  readonly timer: NodeJS.Timeout;
  /** Neither the time nor the caller's abort counts any more. */
  readonly lift: () => void;
}

function limited(
  what: string,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Limit {
  const controller = new AbortController();
  const end = (reason: unknown): void => {
    lift();
    controller.abort(reason);
  };
  const timer = setTimeout(
    () => end(new DeadlineError(what, timeoutMs)),
    timeoutMs,
  );
  const onAbort = (): void => end(signal?.reason);
  const lift = (): void => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  return { signal: controller.signal, timer, lift };
}

/** Sleeps; throws the signal's reason when it fires first. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

/** `Promise.withResolvers`, which Node 20 lacks. */
export function promiseWithResolvers<T>(): {
  promise: Promise<T>;
  resolve: (value: T | PromiseLike<T>) => void;
  reject: (reason: unknown) => void;
} {
  let resolve!: (value: T | PromiseLike<T>) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  // A rejection that nobody awaits any more is not an error of the process.
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}
