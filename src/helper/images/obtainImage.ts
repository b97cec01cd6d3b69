import { makeCatalogImage } from "./catalog/make.ts";
import { type GoldenImage, goldenImage } from "./golden/goldenImage.ts";
import type { ProgressListener } from "./jobs/jobs.ts";
import { type ImagesRoom, resolveImage, runAndTell } from "./room.ts";

export interface ObtainOptions {
  /** `auto`: download, and build where the download's host can't be reached and a recipe exists. */
  readonly method?: "auto" | "download" | "build" | undefined;
  /** Make it anew although one is ready, here or in the cache. Machines keep the digest that they stand on. */
  readonly force?: boolean | undefined;
}

/** See `Images.obtain`. */
export async function obtainImage(
  room: ImagesRoom,
  wish: ObtainOptions & { readonly name: string },
  onProgress?: ProgressListener,
  signal?: AbortSignal,
): Promise<GoldenImage> {
  const { layout, entries, maker, ledger, installs } = room;
  const { name, method = "auto", force = false } = wish;
  const stored = ledger.storedAs(name);
  if (stored?.report.usable === true && !force)
    return goldenImage(stored, layout);
  const entry = entries.get(name);
  if (entry === undefined && installs.has(name)) {
    await installs.again(name, onProgress, signal);
    return resolveImage(room, name);
  }
  if (entry === undefined) throw ledger.missing(name);
  const made = await runAndTell(
    room,
    { name, kind: "obtain", onProgress },
    async (progress, within) => {
      ledger.setFailure(name, undefined);
      const image = await makeCatalogImage(
        maker,
        { entry, method, anew: force },
        progress,
        within,
      );
      await ledger.dropSuperseded(name);
      return image;
    },
    signal,
  );
  return goldenImage(made, layout);
}
