// What each kind of test needs of the machine. What can be had is installed; what can't is the reason to skip.
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cacheRoot } from "./cache.mjs";
import { codeServerIsHere, installCodeServer } from "./codeServer.mjs";
import { featureRegistry } from "./featureRegistry.mjs";
import { guesthouse } from "./helper.mjs";
import { ensurePrograms } from "./packages.mjs";
import {
  browserPrograms,
  imageBuildPrograms,
  landingPrograms,
  nativeBuildPrograms,
  testPrograms,
  testServers,
  virtualMachinePrograms,
} from "./programs.mjs";
import { Failure, step, Unavailable } from "./progress.mjs";
import { buildLanding } from "./landing.mjs";
import { checkout } from "./project.mjs";
import { run } from "./run.mjs";
import { signedBoot } from "./signedBoot.mjs";

/**
 * What each vitest project needs, in the order in which the projects run: programs, and what is made with them.
 * @type {Record<string, {purpose: string, programs: () => import("./programs.mjs").Program[], make?: () => Promise<Record<string, string>>}>}
 *   make gives the variables that its tests read
 */
export const prerequisites = {
  unit: {
    purpose: "check what Guesthouse writes by other programs",
    programs: () => testPrograms,
  },
  protocol: { purpose: "", programs: () => [] },
  process: {
    purpose: "test with real QEMU and OpenSSH processes",
    programs: () => [...realParts(), ...landingPrograms],
    make: async () => ({
      ...(await registryVariables()),
      ...(await signedBootVariables()),
    }),
  },
  vm: {
    purpose: "build and run test guests, and make their disks",
    programs: () => [...guestPrograms, ...landingPrograms, ...testPrograms],
    make: async () => ({
      ...(await guestVariables()),
      ...(await engineVariables()),
      ...(await registryVariables()),
    }),
  },
  editor: {
    purpose: "test in VS Code in a browser",
    programs: () => [
      ...realParts(),
      ...guestPrograms,
      ...landingPrograms,
      ...(process.env.CHROMIUM === undefined ? browserPrograms : []),
      ...(codeServerIsHere() ? [] : nativeBuildPrograms),
    ],
    make: async () => {
      await installCodeServer();
      return {
        ...(await guestVariables()),
        ...(await engineVariables()),
        ...(await signedBootVariables()),
        GUESTHOUSE_PACKED_EXTENSION: await packedExtension(),
      };
    },
  },
};

/** @returns {Promise<string>} the .vsix, packed once for all files of the editor's tests */
async function packedExtension() {
  const vsix = join(checkout, "dist-test", "guesthouse.vsix");
  await mkdir(join(checkout, "dist-test"), { recursive: true });
  await step("Packing the extension", () =>
    run(
      process.execPath,
      [join(checkout, "scripts", "package.mjs"), "--out", vsix],
      { cwd: checkout, what: "The extension could not be packed." },
    ),
  );
  return vsix;
}

const guestPrograms = [...virtualMachinePrograms, ...imageBuildPrograms];

function realParts() {
  const servers = existsSync("/run/systemd/system") ? [] : testServers;
  return [...virtualMachinePrograms, ...testPrograms, ...servers];
}

/**
 * Asks once for all that these projects lack, and installs it. What can't be had is told later, by the project that
 * is skipped for it.
 * @param {string[]} projects
 * @param {{assumeYes: boolean}} options
 */
export async function askAtOnce(projects, { assumeYes }) {
  const programs = projects.flatMap(
    (name) => prerequisites[name]?.programs() ?? [],
  );
  try {
    await ensurePrograms(programs, {
      purpose: `test (${projects.join(", ")})`,
      assumeYes,
    });
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
  }
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

/** What the tests' clones have, so that they resume from the one template: test/vm/warmGuests.ts says the same. */
const warmShape = ["--cpus", "1", "--memory", "512M"];
const engineShape = ["--cpus", "2", "--memory", "2G"];

/** @type {Promise<Record<string, string>> | undefined} */
let guests;

/** @returns {Promise<Record<string, string>>} */
const guestVariables = () => (guests ??= makeGuests());

const makeGuests = () =>
  makeGuestsOf("debian-12", warmShape, {
    image: "Golden image for the tests",
    template: "Warm template for the tests",
  });

/** @type {Promise<Record<string, string>> | undefined} */
let engines;

/** The image with a container engine, which only some tests need. */
const engineVariables = () => (engines ??= makeEngines());

const makeEngines = async () => {
  await buildLanding();
  return makeGuestsOf("containers", engineShape, {
    image: "Golden image with a container engine",
    template: "Warm template with a container engine",
  });
};

/**
 * Sees to it that the golden image which the guests of the tests are cloned from is in the cache, and a warm template
 * of it. Both are made once and kept outside of the checkout; the helper decides whether those in the cache still fit.
 * @param {string} image
 * @param {string[]} shape
 * @param {{image: string, template: string}} titles
 * @returns {Promise<Record<string, string>>}
 */
async function makeGuestsOf(image, shape, titles) {
  const folders = {
    GUESTHOUSE_IMAGE_CACHE: join(cacheRoot(), "images"),
    GUESTHOUSE_TEMPLATE_CACHE: join(cacheRoot(), "templates"),
  };
  const home = await mkdtemp(join(tmpdir(), "gh-golden-"));
  const env = { GUESTHOUSE_HOME: home, GUESTHOUSE_WARM: "manual", ...folders };
  try {
    await step(titles.image, () => guesthouse(["image", "build", image], env));
    await step(titles.template, () =>
      guesthouse(["template", "warm-up", image, ...shape], env),
    );
  } finally {
    await guesthouse(["daemon", "stop"], env);
    await rm(home, { recursive: true, force: true });
  }
  return folders;
}

/**
 * @param {string} project
 * @returns {Promise<{env: Record<string, string>} | {skipped: string} | {failed: string}>} the variables for its
 *   tests; or why they are skipped: something that can't be had here; or what went wrong where nothing should
 */
export async function prepare(project) {
  const needs = prerequisites[project];
  if (needs === undefined) return { env: {} };
  try {
    await ensurePrograms(needs.programs(), { purpose: needs.purpose });
    return { env: (await needs.make?.()) ?? {} };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const text = error.message.replaceAll(/\s*\n\s*/g, " ");
    return error instanceof Unavailable ? { skipped: text } : { failed: text };
  }
}
