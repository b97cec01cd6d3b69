import { join } from "node:path";
import type { Log } from "../../../base/log.ts";
import type { Architecture } from "../../../protocol/images.ts";
import type { Layout } from "../../store/layout.ts";
import { buildDebian } from "../build/debian.ts";
import { buildKey, readBuildInputs } from "../build/key.ts";
import type { GuestParts, LayerChoice } from "../build/layers.ts";
import { readHostMirrors } from "../build/mirrors.ts";
import type { BuildProgress } from "../build/progress.ts";
import type { RecipeName } from "./catalog.ts";
import type { Recipe } from "../golden/made.ts";
import type { StageProgress } from "../jobs/progress.ts";

export interface RecipeOptions {
  readonly layout: Layout;
  /** The product's `resources/`. */
  readonly resources: string;
  readonly architecture: Architecture;
  /** `GUESTHOUSE_IMAGE_CACHE`. */
  readonly cacheFolder: string | undefined;
  readonly log: Log;
  /** In the place of those made here. */
  readonly recipes?: Readonly<Partial<Record<RecipeName, Recipe>>>;
}

interface DebianRecipe extends LayerChoice {
  /** Virtual size; the disk only takes what is written. */
  readonly diskGiB: number;
}

/** What each recipe of the catalog is made of; the files are in `resources/guest`. */
export const debianRecipes: Readonly<Record<RecipeName, DebianRecipe>> = {
  "debian-12": { release: "bookworm", layers: [], diskGiB: 20 },
  "debian-13": { release: "trixie", layers: [], diskGiB: 20 },
  containers: { release: "trixie", layers: ["engine", "landing"], diskGiB: 20 },
};

/** The builders that the catalog names. */
export function hostRecipes(
  options: RecipeOptions,
): Readonly<Record<RecipeName, Recipe>> {
  return {
    "debian-12": debian(options, debianRecipes["debian-12"]),
    "debian-13": debian(options, debianRecipes["debian-13"]),
    containers: debian(options, debianRecipes.containers),
    ...options.recipes,
  };
}

function debian(
  { layout, resources, architecture: arch, cacheFolder, log }: RecipeOptions,
  recipe: DebianRecipe,
): Recipe {
  const parts = guestParts(resources);
  return {
    key: async () =>
      buildKey(await readBuildInputs(parts, { ...recipe, arch })),
    build: async (workFolder, onProgress, signal) =>
      buildDebian(
        {
          ...recipe,
          arch,
          mirrors: await readHostMirrors(recipe.release),
          parts,
          workDir: join(workFolder, "build"),
          packageCache: join(
            cacheFolder ?? layout.cache,
            "packages",
            recipe.release,
          ),
        },
        (progress) => onProgress(buildStage(progress)),
        (line) => log.debug(line),
        signal,
      ),
  };
}

/** The product's programs lie beside its resources. */
export const guestParts = (resources: string): GuestParts => ({
  resources: join(resources, "guest"),
  compiled: join(resources, "..", "dist"),
});

/** What each of the builder's stages is called, and its share of the whole time. */
const stages: Readonly<Record<string, readonly [string, number]>> = {
  packages: ["fetching packages", 0.25],
  install: ["installing packages", 0.45],
  customize: ["setting up the system", 0.05],
  kernel: ["unpacking the kernel", 0.05],
  disk: ["making the disk", 0.05],
  convert: ["compressing the disk", 0.15],
};

/** Puts a stage of the build into the whole. Pure. */
export function buildStage(progress: BuildProgress): StageProgress {
  const names = Object.keys(stages);
  const index = names.indexOf(progress.stage);
  const before = names
    .slice(0, Math.max(index, 0))
    .reduce((sum, name) => sum + (stages[name]?.[1] ?? 0), 0);
  const [detail, share] = stages[progress.stage] ?? [progress.stage, 0];
  return {
    stage: "build",
    detail,
    fraction: Math.min(1, before + share * (progress.fraction ?? 0)),
  };
}
