import { join } from "node:path";
import * as z from "zod";
import { given } from "../../../base/given.ts";
import { readJson } from "../../../base/jsonFile.ts";
import { bug } from "../../../protocol/failure.ts";
import { type Architecture, architectures } from "../../../protocol/images.ts";
import { type LayerName, layerNames } from "../build/layers.ts";
import { type ImageDefaults, imageDefaultsSchema } from "../golden/defaults.ts";

/** Lower case, usable as a file name and as the beginning of a machine's name. */
export const imageNameSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9.-]{0,62}$/, "lower-case letters, digits, . and -");

/** What can be built here; catalog/recipes.ts says of what. */
export const recipeNames = ["debian-12", "debian-13", "containers"] as const;
export type RecipeName = (typeof recipeNames)[number];

const downloadSchema = z.strictObject({
  architecture: z.enum(architectures),
  url: z.url({ protocol: /^https?$/ }),
  /** The publisher's list of digests that names the file. */
  checksumUrl: z.url({ protocol: /^https?$/ }),
  algorithm: z.enum(["sha256", "sha512"]),
  /** What the image boots with while it is prepared. */
  firmware: z.enum(["bios", "uefi"]),
  /** About; the server tells the true size. */
  sizeBytes: z.number().int().positive(),
});
export type CatalogDownload = z.infer<typeof downloadSchema>;

const catalogSchema = z.strictObject({
  version: z.literal(1),
  images: z.array(
    z.strictObject({
      name: imageNameSchema,
      title: z.string().min(1),
      /** Which package manager it has. */
      family: z.enum(["debian", "fedora", "alpine"]),
      /** User that machines log in as; made by the seed. */
      defaultUser: z.string().regex(/^[a-z][a-z0-9-]*$/),
      /** What its VMs get where nothing else is asked for. */
      defaults: imageDefaultsSchema.optional(),
      /** What it is beyond the download: folders of `resources/guest`, installed while the download is prepared. */
      layers: z.array(z.enum(layerNames)).optional(),
      /** Seconds to SSH under hardware acceleration, once prepared. */
      expectedBootSeconds: z.number().positive(),
      downloads: z.array(downloadSchema).min(1),
      /** How to build it here where the download can't be reached. */
      recipe: z.enum(recipeNames).optional(),
    }),
  ),
});
export type Catalog = z.infer<typeof catalogSchema>;

/** One image of the catalog for one architecture, under the name that it has on this host. */
export interface CatalogEntry {
  /** As asked for: `debian-12`, or `debian-12-arm64` where the host is amd64. */
  readonly name: string;
  readonly title: string;
  readonly architecture: Architecture;
  readonly defaultUser: string;
  readonly expectedBootSeconds: number;
  readonly defaults?: ImageDefaults;
  /** Empty for a distribution's own image. */
  readonly layers: readonly LayerName[];
  readonly download: CatalogDownload;
  /** Only for the host's own architecture. */
  readonly recipe?: RecipeName;
}

/** Throws a ZodError that names the wrong field. */
export const parseCatalog = (value: unknown): Catalog =>
  catalogSchema.parse(value);

/** Reads `<resources>/catalog.json`; a wrong one is a bug, as it ships with the product. */
export async function loadCatalog(resources: string): Promise<Catalog> {
  const path = join(resources, "catalog.json");
  const read = await readJson(path, parseCatalog);
  if (read.kind === "read") return read.value;
  throw bug(
    `The image catalog ${path} is ${read.kind === "missing" ? "missing" : `broken: ${read.reason}`}.`,
  );
}

/**
 * The host's own architecture has the plain names; the other one, which runs emulated, has its architecture
 * appended and is not listed unless asked for.
 */
export function catalogEntries(
  catalog: Catalog,
  architecture: Architecture,
): CatalogEntry[] {
  return catalog.images.flatMap(({ downloads, recipe, name, ...image }) =>
    downloads.map((download) => {
      const native = download.architecture === architecture;
      return {
        name: native ? name : `${name}-${download.architecture}`,
        title: native
          ? image.title
          : `${image.title}, ${download.architecture} emulated`,
        architecture: download.architecture,
        defaultUser: image.defaultUser,
        expectedBootSeconds: image.expectedBootSeconds,
        ...given({ defaults: image.defaults }),
        layers: image.layers ?? [],
        download,
        ...(native && recipe !== undefined ? { recipe } : {}),
      };
    }),
  );
}
