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
  const controller = new AbortController();
  const { promise: ended, reject } = promiseWithResolvers<never>();
  const end = (reason: unknown): void => {
    controller.abort(reason);
    reject(reason);
  };
  const timer = setTimeout(
    () => end(new DeadlineError(what, timeoutMs)),
    timeoutMs,
  );
  const onAbort = (): void => end(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work(controller.signal), ended]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

/**
 * A signal that fires with the caller's, or after `timeoutMs`. `AbortSignal.any` of a timeout that nobody else holds never does
 * once Node 20's garbage collector has taken that.
 */
export function abortAfter(
  timeoutMs: number,
  signal?: AbortSignal,
): AbortSignal {
  if (signal?.aborted === true) return signal;
  const controller = new AbortController();
  const end = (reason: unknown): void => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
    controller.abort(reason);
  };
  const onAbort = (): void => end(signal?.reason);
  const timer = setTimeout(
    () => end(new DeadlineError("this", timeoutMs)),
    timeoutMs,
  ).unref();
  signal?.addEventListener("abort", onAbort, { once: true });
  return controller.signal;
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
