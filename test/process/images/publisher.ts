import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import type {
  MadeImage,
  Recipe,
} from "../../../src/helper/images/golden/made.ts";
import { type ImageServer, startImageServer } from "../../fakes/imageServer.ts";
import { goldenFacts } from "../../unit/helper/images/goldenFacts.ts";
import { makeRootDisk } from "./disks.ts";
import { type ImageHouse, imageHouse } from "./house.ts";

/** Two real disks, a server that publishes the first, and the image rooms that a test opens; ended after each test. */
export interface Publisher {
  folder: string;
  qcow2: Buffer;
  other: Buffer;
  server: ImageServer;
  readonly open: (
    ...args: Parameters<typeof imageHouse>
  ) => Promise<ImageHouse>;
}

/** Sets a publisher up and down around the tests of the file that calls it. */
export function usePublisher(): Publisher {
  const houses: ImageHouse[] = [];
  const its = {
    open: async (...args: Parameters<typeof imageHouse>) => {
      const house = await imageHouse(...args);
      houses.push(house);
      return house;
    },
  } as Publisher;

  beforeAll(async () => {
    its.folder = await mkdtemp(join(tmpdir(), "gh-obtain-"));
    its.qcow2 = await diskOf(its.folder, "one");
    its.other = await diskOf(its.folder, "two");
  });
  afterAll(async () => {
    await rm(its.folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    its.server = await startImageServer(its.qcow2);
  });
  afterEach(async () => {
    await its.server.close();
    for (const house of houses.splice(0)) await house[Symbol.asyncDispose]();
  });
  return its;
}

async function diskOf(folder: string, name: string): Promise<Buffer> {
  const raw = join(folder, `${name}.raw`);
  await makeRootDisk(raw);
  const path = join(folder, `${name}.qcow2`);
  await execa("qemu-img", ["convert", "-O", "qcow2", raw, path]);
  return readFile(path);
}

export const files = async (path: string): Promise<string[]> =>
  readdir(path).catch(() => []);

/** A builder that copies a disk instead of installing a system. */
export const recipeOf = (
  disk: () => Buffer,
): { recipes: { "debian-12": Recipe }; builds: () => number } => {
  let builds = 0;
  return {
    builds: () => builds,
    recipes: {
      "debian-12": {
        key: () => Promise.resolve("key-1"),
        build: async (workFolder, onProgress): Promise<MadeImage> => {
          builds++;
          onProgress({ stage: "build", detail: "installing", fraction: 0.5 });
          const out = join(workFolder, "out");
          await mkdir(out, { recursive: true });
          const path = (name: string): string => join(out, name);
          await writeFile(path("disk.qcow2"), disk());
          await writeFile(path("kernel"), "kernel");
          await writeFile(path("initrd"), "initrd");
          return {
            diskPath: path("disk.qcow2"),
            kernelPath: path("kernel"),
            initrdPath: path("initrd"),
            kernelArguments: "root=LABEL=root console=ttyS0",
            facts: goldenFacts,
          };
        },
      },
    },
  };
};
