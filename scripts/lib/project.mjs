// What both `npm start` and `npm test` need of the checkout: the right Node, its packages, and the built bundles.
import { readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Failure, step } from "./progress.mjs";
import { npm, run } from "./run.mjs";

export const checkout = fileURLToPath(new URL("../..", import.meta.url));

const minimumNode = 20;

export function checkNode() {
  const major = Number(process.versions.node.split(".")[0]);
  if (major >= minimumNode) return;
  throw new Failure(
    `Node ${process.versions.node} is too old.`,
    `Guesthouse needs Node ${minimumNode} or newer`,
    "Install a newer Node from your distribution or with a version manager, then run this again.",
  );
}

/** Installs the packages of package-lock.json when they are missing or others are there. */
export async function ensureDependencies() {
  const reason = await staleDependency();
  if (reason === undefined) return;
  await step(`Installing npm packages (${reason})`, async () => {
    const [command, ...args] = npm();
    await run(command, [...args, "ci", "--no-audit", "--no-fund"], {
      cwd: checkout,
      what: "The npm packages could not be installed.",
      remedy:
        "Check that the npm registry can be reached (`npm ping`), then run `npm ci`.",
    });
  });
}

/**
 * Compares the lock file with the one that npm leaves in node_modules.
 * @returns {Promise<string | undefined>} the first difference, in words
 */
async function staleDependency() {
  const locked = await readPackages(join(checkout, "package-lock.json"));
  const installed = await readPackages(
    join(checkout, "node_modules", ".package-lock.json"),
  ).catch(() => undefined);
  if (installed === undefined) return "nothing installed yet";
  for (const [path, { version, optional, link }] of Object.entries(locked)) {
    if (path === "" || link) continue;
    const found = installed[path];
    if (found === undefined && optional) continue;
    if (found?.version !== version) {
      const name = path.split("node_modules/").at(-1);
      return `${name} ${version} is not there`;
    }
  }
  return undefined;
}

/**
 * @param {string} path
 * @returns {Promise<Record<string, {version?: string, optional?: boolean, link?: boolean}>>}
 */
async function readPackages(path) {
  return JSON.parse(await readFile(path, "utf8")).packages;
}

/** Builds the bundles when a source is newer than they are. */
export async function ensureBuilt() {
  const outputs = [
    "dist/extension.js",
    "dist/commands.js",
    "dist/devcontainer/devcontainer.js",
  ];
  const builtMs = await Promise.all(outputs.map(modifiedMs));
  const sources = ["src", "resources", "esbuild.mjs", "package-lock.json"];
  const changedMs = await Promise.all(sources.map(newestMs));
  if (Math.min(...builtMs) > Math.max(...changedMs)) return;
  await step("Building the extension and the helper", () =>
    run(process.execPath, ["esbuild.mjs"], {
      cwd: checkout,
      show: true,
      what: "The build failed.",
    }),
  );
}

/** @param {string} path below the checkout */
async function modifiedMs(path) {
  return stat(join(checkout, path)).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
}

/**
 * The newest change of a file, or of anything below a folder (a folder itself changes when a file in it is removed).
 * @param {string} path below the checkout
 * @returns {Promise<number>}
 */
async function newestMs(path) {
  const own = await modifiedMs(path);
  const inside = await readdir(join(checkout, path), {
    recursive: true,
  }).catch(() => []);
  const times = await Promise.all(
    inside.map((name) => modifiedMs(join(path, name))),
  );
  return Math.max(own, ...times);
}
