// The built command line of Guesthouse, as the scripts use it.
import { join } from "node:path";
import { Failure } from "./progress.mjs";
import { checkout } from "./project.mjs";
import { capture } from "./run.mjs";

const program = join(checkout, "dist", "helper.js");

/**
 * Runs a Guesthouse command whose own progress and errors are shown as they come.
 * @param {string[]} args
 * @param {Record<string, string>} [env] added to this process's own variables
 * @throws {Failure} when it fails; the command has said why by then
 */
export async function guesthouse(args, env = {}) {
  const { code } = await capture(process.execPath, [program, ...args], {
    env: { ...process.env, ...env },
    show: true,
  });
  if (code === 0) return;
  throw new Failure(
    `\`guesthouse ${args.join(" ")}\` failed.`,
    `exit code ${code}; the lines above say more`,
    "Run `node dist/helper.js doctor` to have the machine checked.",
  );
}

/**
 * Asks Guesthouse something.
 * @param {string[]} args without `--json`
 * @returns {Promise<unknown>} what it printed, parsed
 */
export async function ask(args) {
  const outcome = await capture(process.execPath, [program, ...args, "--json"]);
  try {
    if (outcome.code === 0) return JSON.parse(outcome.stdout);
  } catch {
    // Not JSON: told below like any other failure.
  }
  throw new Failure(
    `\`guesthouse ${args.join(" ")}\` failed.`,
    outcome.stderr.trim() ||
      outcome.stdout.trim() ||
      `exit code ${outcome.code}`,
    "Run `node dist/helper.js doctor` to have the machine checked.",
  );
}
