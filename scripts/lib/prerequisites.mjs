// What each kind of test needs of the machine. What can be had is installed; what can't is the reason to skip.
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cacheRoot } from "./cache.mjs";
import { installCodeServer } from "./codeServer.mjs";
import { featureRegistry } from "./featureRegistry.mjs";
import { guesthouse } from "./helper.mjs";
import { ensurePrograms } from "./packages.mjs";
import {
  browserPrograms,
  imageBuildPrograms,
  testPrograms,
  testServers,
  virtualMachinePrograms,
} from "./programs.mjs";
import { Failure, step, Unavailable } from "./progress.mjs";
import { signedBoot } from "./signedBoot.mjs";

/**
 * The prerequisites of each vitest project, in the order in which the projects run.
 * @type {Record<string, () => Promise<Record<string, string>>>} each gives the variables that its tests read
 */
export const prerequisites = {
  unit: async () => {
    await ensurePrograms(testPrograms, {
      purpose: "check what Guesthouse writes by other programs",
    });
    return {};
  },
  protocol: async () => ({}),
  process: async () => {
    await realParts("test with real QEMU and OpenSSH processes");
    return {
      ...(await registryVariables()),
      ...(await signedBootVariables()),
    };
  },
  vm: async () => {
    await ensurePrograms(testPrograms, {
      purpose: "make the disks and repositories of tests",
    });
    return {
      GUESTHOUSE_IMAGE_CACHE: await goldenImage(),
      ...(await registryVariables()),
    };
  },
  editor: async () => {
    await realParts("install a stand-in for Windows");
    if (process.env.CHROMIUM === undefined) {
      await ensurePrograms(browserPrograms, {
        purpose: "test in VS Code in a browser",
      });
    }
    await installCodeServer();
    return {
      GUESTHOUSE_IMAGE_CACHE: await goldenImage(),
      ...(await signedBootVariables()),
    };
  },
};

/** @param {string} purpose */
async function realParts(purpose) {
  const servers = existsSync("/run/systemd/system") ? [] : testServers;
  await ensurePrograms(
    [...virtualMachinePrograms, ...testPrograms, ...servers],
    { purpose },
  );
}

/** @returns {Promise<Record<string, string>>} */
async function registryVariables() {
  const program = await featureRegistry();
  return program === undefined ? {} : { GUESTHOUSE_DOCKER_REGISTRY: program };
}

/** @returns {Promise<Record<string, string>>} */
async function signedBootVariables() {
  const folder = await signedBoot();
  return folder === undefined ? {} : { GUESTHOUSE_SIGNED_BOOT: folder };
}

/**
 * Sees to it that the golden image which the guests of the tests are cloned from is in the cache. It is built once and
 * kept outside of the checkout; the helper decides whether the one in the cache still fits its recipe.
 * @returns {Promise<string>} the folder for GUESTHOUSE_IMAGE_CACHE
 */
async function goldenImage() {
  await ensurePrograms([...virtualMachinePrograms, ...imageBuildPrograms], {
    purpose: "build and run test guests",
  });
  const folder = join(cacheRoot(), "images");
  if (goldenImageIsThere) return folder;
  const home = await mkdtemp(join(tmpdir(), "gh-golden-"));
  const env = { GUESTHOUSE_HOME: home, GUESTHOUSE_IMAGE_CACHE: folder };
  try {
    await step("Golden image for the tests", () =>
      guesthouse(["image", "build", "debian-12"], env),
    );
  } finally {
    await guesthouse(["daemon", "stop"], env);
    await rm(home, { recursive: true, force: true });
  }
  goldenImageIsThere = true;
  return folder;
}

let goldenImageIsThere = false;

/**
 * @param {string} project
 * @returns {Promise<{env: Record<string, string>} | {skipped: string} | {failed: string}>} the variables for its
 *   tests; or why they are skipped: something that can't be had here; or what went wrong where nothing should
 */
export async function prepare(project) {
  try {
    return { env: (await prerequisites[project]?.()) ?? {} };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const text = error.message.replaceAll(/\s*\n\s*/g, " ");
    return error instanceof Unavailable ? { skipped: text } : { failed: text };
  }
}
