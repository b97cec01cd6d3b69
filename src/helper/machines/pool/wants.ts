import { can } from "../roster/systems.ts";
import type { PoolDeps, Want } from "./keeping.ts";

/** After a user's machine has come up its guest has things to do. */
export const quietMs = 5_000;

/** One template an image: the one of those that fit which was used last. */
export async function wanted(
  { templates, images, sizes, warm, log }: PoolDeps,
  signal: AbortSignal,
): Promise<Want[]> {
  const found = new Map<string, Want>();
  for (const record of templates.ready()) {
    const { name, digest } = record.image;
    const count = sizes.of(name);
    if (count === 0 || found.has(name)) continue;
    try {
      const image = await images.resolve(name);
      if (image.digest !== digest || !can[image.os].waitNameless) continue;
      const fits = await warm.find(record.shape, image, signal);
      if (fits?.id === record.id) found.set(name, { record, image, count });
    } catch (error) {
      log.info("no pool for an image", { image: name, error });
    }
  }
  return [...found.values()];
}

/** Nobody waits for a machine or a template of his own, nor did a moment ago. */
export const isQuiet = ({
  warm,
  registry,
}: Pick<PoolDeps, "warm" | "registry">): boolean =>
  !warm.busy() &&
  registry
    .entries()
    .every(
      ({ state }) =>
        !["creating", "starting", "stopping"].includes(state.kind) &&
        (state.kind !== "running" || Date.now() - state.sinceMs > quietMs),
    );
