import { stat } from "node:fs/promises";
import type { Log } from "../../base/log.ts";
import { GuesthouseError, refused, toFailure } from "../../protocol/failure.ts";
import type { Template, TemplateShape } from "../../protocol/templates.ts";
import { hostSettings } from "../guests/hostSettings.ts";
import type { GoldenImage } from "../images/goldenImage.ts";
import { templateId } from "../snapshots/templateId.ts";
import type { TemplateRecord, Templates } from "../snapshots/templates.ts";
import type { Layout } from "../store/layout.ts";
import type { MachineRecord } from "../store/records.ts";
import { type Environment, surveyHost } from "./environment.ts";
import { makeTemplate } from "./makeTemplate.ts";
import { sharedArguments, visibleProcessor } from "./spec.ts";
import { windowsSharedArguments } from "./windowsArguments.ts";

export interface WarmDeps {
  readonly layout: Layout;
  readonly templates: Templates;
  readonly log: Log;
  /** Make templates unasked, after the first cold start of an image in a shape. */
  readonly automatic: boolean;
}

/** Finds and makes the templates that clones resume from. */
export interface Warm {
  /** The template that fits a machine to be made, if it is there. */
  find(
    shape: TemplateShape,
    image: GoldenImage,
    signal: AbortSignal,
  ): Promise<TemplateRecord | undefined>;
  /** Makes it if it isn't there. Callers of the same one share the work; the last to leave cancels it. */
  warmUp(
    shape: TemplateShape,
    image: GoldenImage,
    signal: AbortSignal,
  ): Promise<Template>;
  /** A machine of this shape came up cold: the next one shall not have to. */
  onColdStart(record: MachineRecord, image: GoldenImage): void;
  /** It did not fit although it should have. */
  reject(id: string): Promise<void>;
  busy(): boolean;
  close(): Promise<void>;
}

interface Job {
  readonly done: Promise<Template>;
  readonly stop: AbortController;
  waiting: number;
}

export const shapeOf = ({
  cpus,
  memoryMiB,
  diskGiB,
  user,
  screen,
}: Pick<
  MachineRecord,
  "cpus" | "memoryMiB" | "diskGiB" | "user" | "screen"
>): TemplateShape => ({
  ...{ cpus, memoryMiB, diskGiB, user },
  ...screenShape(screen),
});

/** Absent, not false, where there is none: templates without a screen keep their ids. */
export const screenShape = (
  screen: boolean | undefined,
): Pick<TemplateShape, "screen"> => (screen === true ? { screen } : {});

export function createWarm(deps: WarmDeps): Warm {
  const { layout, templates, log } = deps;
  const jobs = new Map<string, Job>();
  const automatic = new AbortController();

  async function identify(
    shape: TemplateShape,
    image: GoldenImage,
    signal: AbortSignal,
  ): Promise<{ id: string; environment: Environment }> {
    const environment = await surveyHost(
      layout,
      image.architecture,
      log,
      signal,
    );
    const binary = await stat(environment.binary);
    const { proxy, caCertificates, timezone } = await hostSettings();
    const id = templateId({
      imageDigest: image.digest,
      shape,
      qemu: `${environment.binary}:${String(binary.mtimeMs)}:${String(binary.size)}`,
      arguments:
        image.os === "windows"
          ? await windowsSharedArguments(shape, environment)
          : await sharedArguments(shape, image, environment),
      processor: visibleProcessor(environment),
      hostSettings: { proxy, caCertificates, timezone },
    });
    return { id, environment };
  }

  function begin(
    id: string,
    shape: TemplateShape,
    image: GoldenImage,
    environment: Environment,
  ): Job {
    const stop = new AbortController();
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
    const done = makeTemplate(
      { id, image, shape, environment, layout, log, onStage },
      stop.signal,
    )
      .then(async (record) => {
        await templates.commit(record);
        log.info("template made", { template: id, image: image.name });
        return templates.show(id);
      })
      .catch(async (error: unknown) => {
        log.warn("making a template failed", { template: id, error });
        if (isCancelled(error) || stop.signal.aborted)
          await templates.remove(id);
        else templates.failed(about, toFailure(error));
        throw error;
      })
      .finally(() => jobs.delete(id));
    done.catch(() => undefined);
    const job = { done, stop, waiting: 0 };
    jobs.set(id, job);
    return job;
  }

  const warm: Warm = {
    async find(shape, image, signal) {
      return templates.find((await identify(shape, image, signal)).id);
    },

    async warmUp(shape, image, signal) {
      if (image.generalized === true) throw isGeneralized(image);
      const { id, environment } = await identify(shape, image, signal);
      if (templates.find(id) !== undefined) return templates.show(id);
      const job = jobs.get(id) ?? begin(id, shape, image, environment);
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
    },

    onColdStart(record, image) {
      if (!deps.automatic || automatic.signal.aborted) return;
      // It takes gigabytes of memory beside the machine that was asked for: it is made when somebody asks for it.
      if (image.os === "windows") return;
      const shape = shapeOf(record);
      warm
        .warmUp(shape, image, automatic.signal)
        .catch((error: unknown) =>
          log.info("no template was made after a cold start", { error }),
        );
    },

    async reject(id) {
      await templates.remove(id).catch(() => 0);
    },

    busy: () => jobs.size > 0,

    async close() {
      automatic.abort();
      for (const { stop } of jobs.values()) stop.abort();
      await Promise.allSettled([...jobs.values()].map(({ done }) => done));
    },
  };
  return warm;
}

/** What its first start makes of it belongs to one machine: a template of that would be somebody already. */
const isGeneralized = ({ name }: GoldenImage): Error =>
  refused(
    "templates.failed",
    `“${name}” is generalized: each machine of it becomes itself at its own first start.`,
    { remedy: "Start one VM of it, and fork that one." },
  );

const isCancelled = (error: unknown): boolean =>
  error instanceof GuesthouseError && error.failure.kind === "cancelled";
