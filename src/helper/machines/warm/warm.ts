/*
 * Warm templates as the rest of the room sees them: which one fits a machine to be made, and having one made, asked for
 * or not. What is being made is owned by `jobs.ts`, what there is by `snapshots/templates.ts`.
 */
import type { Log } from "../../../base/log.ts";
import { refused } from "../../../protocol/failure.ts";
import type { Template, TemplateShape } from "../../../protocol/templates.ts";
import type { GoldenImage } from "../../images/golden/goldenImage.ts";
import { openTemplateCache } from "../../snapshots/templateCache.ts";
import type { TemplateRecord, Templates } from "../../snapshots/templates.ts";
import type { Layout } from "../../store/layout.ts";
import type { MachineRecord } from "../../store/records.ts";
import { shapeOf } from "../roster/shape.ts";
import { can } from "../roster/systems.ts";
import { templateIdFor } from "./templateIdFor.ts";
import { Jobs } from "./jobs.ts";

export interface WarmDeps {
  readonly layout: Layout;
  readonly templates: Templates;
  readonly log: Log;
  /** Make templates unasked, after the first cold start of an image in a shape. */
  readonly automatic: boolean;
  /** Where finished ones are kept beyond this data folder; for tests and development. */
  readonly cacheFolder?: string | undefined;
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

export function createWarm(deps: WarmDeps): Warm {
  const { layout, templates, log } = deps;
  const cache = openTemplateCache(deps.cacheFolder, layout, log);
  const jobs = new Jobs({ ...deps, cache });
  const unasked = new AbortController();
  const warm: Warm = {
    async find(shape, image, signal) {
      return templates.find(
        (await templateIdFor(shape, image, deps, signal)).id,
      );
    },

    async warmUp(shape, image, signal) {
      if (image.generalized === true) throw isGeneralized(image);
      const identity = await templateIdFor(shape, image, deps, signal);
      const { id } = identity;
      if (templates.find(id) !== undefined) return templates.show(id);
      return jobs.make({ ...identity, shape, image }, signal);
    },

    onColdStart(record, image) {
      if (!deps.automatic || unasked.signal.aborted) return;
      if (!can[image.os].warmUnasked) return;
      warm
        .warmUp(shapeOf(record), image, unasked.signal)
        .catch((error: unknown) =>
          log.info("no template was made after a cold start", { error }),
        );
    },

    async reject(id) {
      await templates.remove(id).catch(() => 0);
    },

    busy: () => jobs.size > 0,

    async close() {
      unasked.abort();
      await jobs.close();
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
