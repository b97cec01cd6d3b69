/*
 * Templates that are being made. Whoever wants the same one shares the work, and the last to leave cancels it; what
 * comes of it is told by `Templates`, a failure too. Called by `warm.ts` only.
 */
import type { Log } from "../../../base/log.ts";
import { GuesthouseError, toFailure } from "../../../protocol/failure.ts";
import type { Template, TemplateShape } from "../../../protocol/templates.ts";
import type { GoldenImage } from "../../images/golden/goldenImage.ts";
import type { TemplateCache } from "../../snapshots/templateCache.ts";
import type { TemplateRecord, Templates } from "../../snapshots/templates.ts";
import type { Layout } from "../../store/layout.ts";
import type { TemplateIdentity } from "./templateIdFor.ts";
import { makeTemplate } from "./makeTemplate.ts";

export interface JobsDeps {
  readonly layout: Layout;
  readonly templates: Templates;
  /** Templates of other data folders. */
  readonly cache: TemplateCache;
  readonly log: Log;
}

/** What is to be made. */
export interface Order extends TemplateIdentity {
  readonly shape: TemplateShape;
  readonly image: GoldenImage;
}

interface Job {
  readonly done: Promise<Template>;
  readonly stop: AbortController;
  waiting: number;
}

export class Jobs {
  readonly #jobs = new Map<string, Job>();
  readonly #deps: JobsDeps;

  constructor(deps: JobsDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#jobs.size;
  }

  /** Makes a template, or waits for the one that is being made. */
  async make(order: Order, signal: AbortSignal): Promise<Template> {
    const job = this.#jobs.get(order.id) ?? this.#begin(order);
    job.waiting++;
    const leave = (): void => {
      if (--job.waiting === 0) job.stop.abort();
    };
    signal.addEventListener("abort", leave, { once: true });
    try {
      return await job.done;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  async close(): Promise<void> {
    const jobs = [...this.#jobs.values()];
    for (const { stop } of jobs) stop.abort();
    await Promise.allSettled(jobs.map(({ done }) => done));
  }

  #begin(order: Order): Job {
    const stop = new AbortController();
    const done = make(order, this.#deps, stop.signal).finally(() =>
      this.#jobs.delete(order.id),
    );
    done.catch(() => undefined);
    const job = { done, stop, waiting: 0 };
    this.#jobs.set(order.id, job);
    return job;
  }
}

async function make(
  order: Order,
  deps: JobsDeps,
  signal: AbortSignal,
): Promise<Template> {
  const { templates, log } = deps;
  const { id, shape, image } = order;
  const now = new Date().toISOString();
  const about = {
    id,
    shape,
    image: { name: image.name, digest: image.digest },
    sizeBytes: 0,
    createdAt: now,
    lastUsedAt: now,
  };
  const onStage = (stage: string): void =>
    templates.working({
      ...about,
      state: { kind: "making", stage, sinceMs: Date.now() },
    });
  onStage("boot");
  try {
    await templates.commit(await record(order, deps, onStage, signal));
    log.info("template made", { template: id, image: image.name });
    return templates.show(id);
  } catch (error) {
    log.warn("making a template failed", { template: id, error });
    if (isCancelled(error) || signal.aborted) await templates.remove(id);
    else templates.failed(about, toFailure(error));
    throw error;
  }
}

/** From the cache where it is there, else made and put there. */
async function record(
  { cacheKey, ...order }: Order,
  { layout, cache, log }: JobsDeps,
  onStage: (stage: string) => void,
  signal: AbortSignal,
): Promise<TemplateRecord> {
  const { id, image } = order;
  const wanted = { id, imageDisk: image.files.disk };
  const kept = await cache.fetch(cacheKey, wanted, signal);
  if (kept !== undefined) return kept;
  const made = await makeTemplate({ ...order, layout, log, onStage }, signal);
  await cache.keep(cacheKey, made);
  return made;
}

const isCancelled = (error: unknown): boolean =>
  error instanceof GuesthouseError && error.failure.kind === "cancelled";
