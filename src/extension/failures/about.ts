import type { Subject } from "./remedies.ts";

export interface FailedWork {
  readonly subject: Subject;
  /** Does what failed once more: only this step, not all that led to it. */
  readonly again: () => Promise<unknown>;
}

const failedWork = new WeakMap<object, FailedWork>();

/** Runs `work` and, when it throws, remembers what it was about, so that the failure's buttons act on that. */
export async function about<T>(
  subject: Subject,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // The innermost step knows best.
    if (error instanceof Error && !failedWork.has(error))
      failedWork.set(error, { subject, again: () => about(subject, work) });
    throw error;
  }
}

export function failedWorkOf(error: unknown): FailedWork | undefined {
  return error instanceof Error ? failedWork.get(error) : undefined;
}
