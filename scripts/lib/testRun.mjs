// Runs vitest's projects, each in a process of its own, and tells what became of their tests.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkout } from "./project.mjs";
import { capture } from "./run.mjs";

/** @import { Counts } from "./countingReporter.mjs" */

const vitest = join(checkout, "node_modules", "vitest", "vitest.mjs");

/**
 * Runs a project in a process of its own, so that one that crashes takes no other's results with it.
 * @param {string} project
 * @param {string[]} more arguments for vitest
 * @param {{env: Record<string, string>, beside?: boolean}} how
 *   beside: another job runs at the same time, so its lines are marked
 * @returns {Promise<Counts>}
 */
export async function runProject(project, more, how) {
  const folder = await mkdtemp(join(tmpdir(), "gh-test-"));
  const report = join(folder, "counts.json");
  try {
    const colour = process.stdout.isTTY ? { FORCE_COLOR: "1" } : {};
    const { code } = await capture(
      process.execPath,
      [
        vitest,
        "run",
        ...["--project", project, "--passWithNoTests"],
        ...["--reporter=default"],
        ...["--reporter", join(checkout, "scripts/lib/countingReporter.mjs")],
        ...more,
      ],
      {
        cwd: checkout,
        env: {
          ...process.env,
          ...(how.beside ? colour : {}),
          ...how.env,
          GUESTHOUSE_TEST_COUNTS: report,
        },
        ...(how.beside
          ? {
              onLine: (/** @type {string} */ line) =>
                console.log(`${project.padEnd(7)} │ ${line}`),
            }
          : { show: true }),
      },
    );
    const text = await readFile(report, "utf8").catch(() => undefined);
    const crashed = `${project}: vitest ended with exit code ${code}`;
    if (text === undefined) return failure(`${crashed} before it reported`);
    /** @type {Counts} */
    const counts = JSON.parse(text);
    if (code !== 0 && counts.failed.length === 0) counts.failed.push(crashed);
    return counts;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * @param {string} why
 * @returns {Counts}
 */
export const failure = (why) => ({
  passed: 0,
  failed: [why],
  skipped: [],
  files: [],
});

/**
 * Counts a project's tests as skipped, without running them.
 * @param {string} project
 * @param {string} reason
 * @param {string[]} more arguments for vitest
 * @returns {Promise<Counts>}
 */
export async function skipProject(project, reason, more) {
  // Only read, not run: what a test file does to declare its tests may need what is missing.
  const { code, stdout } = await capture(
    process.execPath,
    [vitest, "list", "--project", project, "--json", "--static-parse", ...more],
    { cwd: checkout },
  );
  if (code !== 0) return failure(`${project}: its tests could not be listed`);
  /** @type {{name: string, file: string}[]} */
  const tests = JSON.parse(stdout.slice(stdout.indexOf("[")));
  return {
    passed: 0,
    failed: [],
    skipped: tests.map(({ name }) => ({
      name: `${project} > ${name}`,
      reason,
    })),
    files: [],
  };
}
