// What each kind of test needs of the machine. What can be had is installed; what can't is the reason to skip.
import { join } from "node:path";
import { cacheRoot } from "./cache.mjs";
import { installCodeServer } from "./codeServer.mjs";
import { guesthouse } from "./helper.mjs";
import { ensurePrograms } from "./packages.mjs";
import {
  browserPrograms,
  imageBuildPrograms,
  virtualMachinePrograms,
} from "./programs.mjs";
import { Failure, step } from "./progress.mjs";

/**
 * The prerequisites of each vitest project, in the order in which the projects run.
 * @type {Record<string, () => Promise<Record<string, string>>>} each gives the variables that its tests read
 */
export const prerequisites = {
  unit: async () => ({}),
  protocol: async () => ({}),
  process: async () => {
    await ensurePrograms(virtualMachinePrograms, {
      purpose: "test with real QEMU and OpenSSH processes",
    });
    return {};
  },
  vm: async () => ({ GUESTHOUSE_IMAGE_CACHE: await goldenImage() }),
  editor: async () => {
    if (process.env.CHROMIUM === undefined) {
      await ensurePrograms(browserPrograms, {
        purpose: "test in VS Code in a browser",
      });
    }
    await installCodeServer();
    return { GUESTHOUSE_IMAGE_CACHE: await goldenImage() };
  },
};

/**
 * Sees to it that the golden image which the guests of the tests are cloned from is there. It is built once and kept
 * outside of the checkout; the helper decides whether the one in the cache still fits.
 * @returns {Promise<string>} the folder for GUESTHOUSE_IMAGE_CACHE
 */
async function goldenImage() {
  const folder = join(cacheRoot(), "images");
  await ensurePrograms([...virtualMachinePrograms, ...imageBuildPrograms], {
    purpose: "build and run test guests",
  });
  await step("Golden image debian-12 for the tests", async () => {
    const home = join(cacheRoot(), "image-home");
    await guesthouse(["image", "build", "debian-12"], {
      GUESTHOUSE_HOME: home,
      GUESTHOUSE_IMAGE_CACHE: folder,
    });
  });
  return folder;
}

/**
 * @param {string} project
 * @returns {Promise<{env: Record<string, string>} | {reason: string}>}
 */
export async function prepare(project) {
  try {
    return { env: (await prerequisites[project]?.()) ?? {} };
  } catch (error) {
    if (error instanceof Failure)
      return { reason: error.message.replaceAll(/\s*\n\s*/g, " ") };
    throw error;
  }
}
