import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "../../../src/base/log.ts";
import type { Catalog } from "../../../src/helper/images/catalog/catalog.ts";
import {
  type Images,
  type ImagesOptions,
  createImages,
} from "../../../src/helper/images/images.ts";
import type { MadeImage } from "../../../src/helper/images/golden/made.ts";
import { type Layout, layoutOf } from "../../../src/helper/store/layout.ts";
import type { Image } from "../../../src/protocol/images.ts";
import { goldenFacts } from "../../unit/helper/images/goldenFacts.ts";

export interface ImageHouse {
  readonly layout: Layout;
  images: Images;
  /** Everything told to clients, in order. */
  readonly told: (Image | { readonly removed: string })[];
  /** Digest to machine names. */
  readonly users: Map<string, string[]>;
  /** How often a guest would have been booted. */
  prepared: number;
  /** A later helper on the same data folder. */
  readonly restart: (options?: Partial<ImagesOptions>) => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

/** An images room on a data folder of its own, whose preparation takes the disk as it is instead of booting it. */
export async function imageHouse(
  options: Partial<ImagesOptions> = {},
): Promise<ImageHouse> {
  const home = await mkdtemp(join(tmpdir(), "gh-images-"));
  const layout = layoutOf(home);
  const open = (more: Partial<ImagesOptions>): Promise<Images> =>
    createImages({
      layout,
      resources: join(import.meta.dirname, "../../../resources"),
      architecture: "amd64",
      log: silentLog,
      usedBy: (digest) => house.users.get(digest) ?? [],
      accelerator: () => Promise.reject(new Error("no guest is booted here")),
      onChanged: (image) => house.told.push(image),
      onRemoved: (removed) => house.told.push({ removed }),
      env: {},
      prepare: async ({ diskPath, workFolder }): Promise<MadeImage> => {
        house.prepared++;
        const kernelPath = join(workFolder, "vmlinuz");
        const initrdPath = join(workFolder, "initrd.img");
        await copyFile(import.meta.filename, kernelPath);
        await copyFile(import.meta.filename, initrdPath);
        return {
          diskPath,
          facts: goldenFacts,
          kernelPath,
          initrdPath,
          kernelArguments: "root=/dev/vda1 console=ttyS0",
        };
      },
      ...options,
      ...more,
    });
  const house: ImageHouse = {
    layout,
    told: [],
    users: new Map(),
    prepared: 0,
    images: undefined as unknown as Images,
    restart: async (more = {}) => {
      await house.images.close();
      house.images = await open(more);
    },
    [Symbol.asyncDispose]: async () => {
      await house.images.close();
      await rm(home, { recursive: true, force: true });
    },
  };
  house.images = await open({});
  return house;
}

/** A catalog of one image that a local server publishes. */
export function catalogOf(
  server: { readonly url: string; readonly checksumUrl: string },
  recipe?: "debian-12",
): Catalog {
  return {
    version: 1,
    images: [
      {
        name: "debian-12",
        title: "Debian 12",
        family: "debian",
        defaultUser: "debian",
        expectedBootSeconds: 20,
        downloads: [
          {
            architecture: "amd64",
            url: server.url,
            checksumUrl: server.checksumUrl,
            algorithm: "sha256",
            firmware: "bios",
            sizeBytes: 1_000_000,
          },
        ],
        ...(recipe === undefined ? {} : { recipe }),
      },
    ],
  };
}
