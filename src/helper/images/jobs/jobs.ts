/*
 * Work on images, one piece at a time per name. It owns the AbortController of each: whoever asked only watches, the last
 * one to leave ends it. A job counts as under way until its last file is closed, so that new work of a name never meets
 * the cleaning up of the old. Used by the verbs of the images room and by installations of Windows.
 */
import type { Log } from "../../../base/log.ts";
import {
  GuesthouseError,
  cancelled,
  refused,
  toFailure,
} from "../../../protocol/failure.ts";
import {
  type StageProgress,
  type WorkingState,
  workingState,
} from "./progress.ts";

export type JobKind =
  "obtain" | "import" | "validate" | "keep" | "export" | "install";
export type Work<T> = (
  onProgress: (progress: StageProgress) => void,
  signal: AbortSignal,
) => Promise<T>;
export type ProgressListener = (state: WorkingState) => void;

/** Work that somebody wants done, and watches. */
export interface JobWish {
  readonly name: string;
  readonly kind: JobKind;
  readonly onProgress?: ProgressListener | undefined;
}

interface Job {
  readonly kind: JobKind;
  readonly controller: AbortController;
  readonly listeners: Set<ProgressListener>;
  waiters: number;
  state: WorkingState;
  /** Settles when nothing of the work runs any more; never rejects. */
  ended: Promise<unknown>;
  result: Promise<unknown>;
}

/** At most one piece of work per image name, shared by all who ask for the same. */
export interface Jobs {
  /**
   * Joins or starts the work of this name and kind; `images.busy` while work of another kind goes on. Aborting `signal`
   * leaves it, and the last one to leave cancels it and waits for its end.
   */
  readonly run: <T>(
    wish: JobWish,
    work: Work<T>,
    signal?: AbortSignal,
  ) => Promise<T>;
  readonly state: (name: string) => WorkingState | undefined;
  readonly names: () => string[];
  /** False when there was nothing to cancel. */
  readonly cancel: (name: string) => Promise<boolean>;
  /** Ends all work because the helper ends: it is aborted with `helperEnds`. */
  readonly close: () => Promise<void>;
}

/** Why work is aborted that nobody cancelled; what the next helper can go on with is left as it is. */
export const helperEnds = cancelled("The helper ends.");

export interface JobEvents {
  /** At once for a new stage, else at most every 250 ms. */
  readonly onState: (name: string) => void;
  readonly onFailure: (name: string, error: GuesthouseError) => void;
}

const quietMs = 250;

export function createJobs(events: JobEvents, log: Log): Jobs {
  const jobs = new Map<string, Job>();
  let closed = false;
  return {
    run: async <T>(
      wish: JobWish,
      work: Work<T>,
      signal?: AbortSignal,
    ): Promise<T> => {
      const { name, kind } = wish;
      for (;;) {
        if (closed || signal?.aborted === true) throw cancelled();
        const running = jobs.get(name);
        if (running?.controller.signal.aborted === true) {
          // Cancelled work still cleans up; what comes now is new work.
          await running.ended;
          continue;
        }
        if (running !== undefined && running.kind !== kind)
          throw busy(name, running);
        const job = running ?? startJob({ jobs, events, log }, wish, work);
        return (await attend(job, wish.onProgress, signal)) as T;
      }
    },
    state: (name) => jobs.get(name)?.state,
    names: () => [...jobs.keys()],
    cancel: async (name) => {
      const job = jobs.get(name);
      if (job === undefined) return false;
      await endJob(job);
      return true;
    },
    close: async () => {
      closed = true;
      await Promise.all(
        [...jobs.values()].map((job) => endJob(job, helperEnds)),
      );
    },
  };
}

const busy = (name: string, { state }: Job): GuesthouseError =>
  refused("images.busy", `Image ${name} is being worked on (${state.stage}).`, {
    remedy: "Wait for the end or cancel it, then try again.",
  });

interface Workshop {
  readonly jobs: Map<string, Job>;
  readonly events: JobEvents;
  readonly log: Log;
}

/** Begins the work; its job is among `jobs` until nothing of it runs any more. */
function startJob<T>(
  { jobs, events, log }: Workshop,
  { name, kind }: JobWish,
  work: Work<T>,
): Job {
  const controller = new AbortController();
  const listeners = new Set<ProgressListener>();
  const onProgress = throttled((progress) => {
    job.state = workingState(progress, job.state, Date.now());
    events.onState(name);
    for (const listener of listeners) listener(job.state);
  });
  const result = Promise.resolve()
    .then(() => work(onProgress, controller.signal))
    .catch((error: unknown) => {
      throw asFailure(error, controller.signal);
    });
  const job: Job = {
    kind,
    controller,
    listeners,
    waiters: 0,
    state: { kind: "working", stage: kind, sinceMs: Date.now() },
    result,
    ended: result.then(
      () => jobs.delete(name),
      (error: unknown) => {
        jobs.delete(name);
        if (!(error instanceof GuesthouseError)) return;
        log.warn("image work ended without an image", { image: name, error });
        events.onFailure(name, error);
      },
    ),
  };
  jobs.set(name, job);
  return job;
}

async function endJob(job: Job, reason?: unknown): Promise<void> {
  job.controller.abort(reason);
  await job.ended;
}

async function attend(
  job: Job,
  onProgress: ProgressListener | undefined,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  job.waiters++;
  if (onProgress !== undefined) job.listeners.add(onProgress);
  let leave: () => void = () => undefined;
  const left = new Promise<"left">((resolve) => {
    leave = () => resolve("left");
    signal?.addEventListener("abort", leave, { once: true });
  });
  try {
    const outcome = await Promise.race([
      job.result.then((value) => ({ value })),
      left,
    ]);
    if (outcome !== "left") return outcome.value;
  } finally {
    job.waiters--;
    if (onProgress !== undefined) job.listeners.delete(onProgress);
    signal?.removeEventListener("abort", leave);
  }
  if (job.waiters === 0) await endJob(job);
  throw cancelled();
}

function throttled(
  tell: (progress: StageProgress) => void,
): (progress: StageProgress) => void {
  let stage: string | undefined;
  let detail: string | undefined;
  let toldAtMs = 0;
  return (progress) => {
    const same = progress.stage === stage && progress.detail === detail;
    if (same && Date.now() - toldAtMs < quietMs) return;
    ({ stage, detail } = progress);
    toldAtMs = Date.now();
    tell(progress);
  };
}

function asFailure(error: unknown, signal: AbortSignal): GuesthouseError {
  if (signal.aborted) return cancelled();
  if (error instanceof GuesthouseError) return error;
  return new GuesthouseError(toFailure(error), error);
}
