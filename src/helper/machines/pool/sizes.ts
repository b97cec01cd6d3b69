import * as z from "zod";
import { readJson, writeJson } from "../../../base/jsonFile.ts";
import { maxPoolSize } from "../../../protocol/pool.ts";

const sizesSchema = z.object({
  format: z.literal(1),
  images: z.record(z.string(), z.number().int().min(0).max(maxPoolSize)),
});

/** How many clones shall wait: a number for each image, said by `pool set`, or else the one for all (`GUESTHOUSE_POOL`). */
export class PoolSizes {
  readonly #path: string;
  readonly #perImage: number;
  #images: Readonly<Record<string, number>> = {};

  constructor(path: string, perImage: number) {
    this.#path = path;
    this.#perImage = perImage;
  }

  /** A file that can't be read counts as none: nobody loses more than a little time. */
  async load(): Promise<void> {
    const read = await readJson(this.#path, (value) =>
      sizesSchema.parse(value),
    );
    if (read.kind === "read") this.#images = read.value.images;
  }

  of(image: string): number {
    return this.#images[image] ?? this.#perImage;
  }

  /** Images that have a number of their own. */
  named(): string[] {
    return Object.keys(this.#images);
  }

  /** No image can have any. */
  allZero(): boolean {
    return (
      this.#perImage === 0 &&
      Object.values(this.#images).every((count) => count === 0)
    );
  }

  async set(image: string, count: number): Promise<void> {
    const images = { ...this.#images, [image]: count };
    await writeJson(this.#path, { format: 1, images });
    this.#images = images;
  }
}

/** The number in `GUESTHOUSE_POOL`; anything that is none means none. Pure. */
export function poolSizeFrom(text: string | undefined): number {
  const count = Number(text ?? 0);
  return Number.isInteger(count) && count > 0
    ? Math.min(count, maxPoolSize)
    : 0;
}
