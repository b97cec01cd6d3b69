// Which kinds of tests there are, which of them run side by side, and how long that takes.
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { knownDurations } from "./durations.mjs";
import { checkout } from "./project.mjs";

/** How many files of a project run at once, by one vitest. */
export const workers = { unit: 2, protocol: 2, process: 1, vm: 2, editor: 1 };

/**
 * How many of the jobs with real programs run at once. A guest under emulation keeps a whole processor busy while it boots: with
 * more guests than processors each takes many times as long, and all together longer than in turn.
 */
const atOnce = Math.max(2, Math.min(4, availableParallelism()));

/**
 * One run of vitest.
 * @typedef {object} Job
 * @property {string} project
 * @property {string[]} [files] these of its files only
 */

/**
 * @typedef {object} Plan
 * @property {Job[]} first one after the other, before all others
 * @property {Job[][]} lanes then these side by side, the jobs of each one after the other
 * @property {Job[]} rest taken one by one by each lane that has nothing of its own left
 */

/**
 * @param {string[]} projects
 * @param {{quick?: boolean, filtered?: boolean}} [how] quick: only the short files of `process`;
 *   filtered: vitest is told which files or tests
 * @returns {Plan}
 */
export function planOf(projects, { quick = false, filtered = false } = {}) {
  /** @param {string[]} names @returns {Job[]} */
  const asked = (...names) =>
    names
      .filter((name) => projects.includes(name))
      .map((project) =>
        quick && project === "process"
          ? { project, files: quickFiles() }
          : { project },
      );
  // Programs that mostly wait for each other, and a person's pace in the editor, beside guests.
  const waiting = asked("process", "editor");
  const guests = asked("vm");
  const others = Array.from({ length: atOnce - 1 }, () => []);
  return {
    first: asked("unit", "protocol"),
    lanes: [waiting, ...others],
    rest: filtered ? guests : guests.flatMap(eachFile),
  };
}

/** @param {Job} job @returns {Job[]} */
function eachFile({ project }) {
  const known = knownDurations();
  return filesOf(project)
    .sort((a, b) => known(b) - known(a))
    .map((file) => ({ project, files: [file] }));
}

/**
 * @param {string} project
 * @returns {string[]} its files from the checkout's root, with slashes
 */
export const filesOf = (project) =>
  readdirSync(join(checkout, "test", project), { recursive: true })
    .map((name) => `test/${project}/${String(name).replaceAll("\\", "/")}`)
    .filter((name) => name.endsWith(".test.ts"));

/** Longer ones wait for the whole run. */
const quickFileMs = 3_000;

/** Files of the process project that `--quick` runs: those known to be short, which start no QEMU with a guest. */
export function quickFiles() {
  const known = knownDurations();
  return filesOf("process").filter((file) => known(file) <= quickFileMs);
}

/**
 * @param {Plan} plan
 * @param {ReadonlySet<string>} [ended] files that have ended
 * @returns {number} milliseconds that it takes, or takes still
 */
export function expectedMs({ first, lanes, rest }, ended = new Set()) {
  const known = knownDurations();
  /** @param {Job} job */
  const jobMs = ({ project, files = filesOf(project) }) => {
    const left = files.filter((file) => !ended.has(file)).map(known);
    // No sooner than its longest file.
    return Math.max(
      sum(left) / workers[/** @type {keyof typeof workers} */ (project)],
      ...left,
      0,
    );
  };
  const loads = lanes.map((jobs) => sum(jobs.map(jobMs)));
  for (const job of rest)
    loads[loads.indexOf(Math.min(...loads))] += jobMs(job);
  return sum(first.map(jobMs)) + Math.max(...loads);
}

/** @param {number[]} numbers */
const sum = (numbers) => numbers.reduce((total, one) => total + one, 0);

/**
 * @param {string} path a file to which the reporter writes the names of files that have ended
 * @returns {Set<string>}
 */
export function endedFiles(path) {
  try {
    return new Set(readFileSync(path, "utf8").split("\n"));
  } catch {
    return new Set();
  }
}

/** What the loop below takes on the host that the tests' limits were found on. */
const usualMs = 150;

/** A host that is slower than that still wants to hear of a test that hangs. */
const slowest = 5;

/** @returns {number} how many times slower this host is at this moment; 1 where it is as fast or faster */
export function measurePace() {
  // The best of some: a run in which the loop isn't compiled in time says nothing of the host.
  const tookMs = Math.min(...Array.from({ length: 3 }, loopMs));
  const times = Math.round((tookMs / usualMs) * 10) / 10;
  return Math.min(slowest, Math.max(1, times));
}

function loopMs() {
  const beganMs = performance.now();
  let x = 1;
  for (let i = 0; i < 100_000_000; i++) x = (Math.imul(x, 1103515245) + i) | 0;
  return performance.now() - beganMs + (x === 0 ? 1 : 0);
}
