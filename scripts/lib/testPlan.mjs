// Which kinds of tests there are, which of them run side by side, and how long that takes.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { knownDurations } from "./durations.mjs";
import { checkout } from "./project.mjs";

/** How many files of a project run at once. A guest that boots under emulation takes most of a processor for half a minute. */
export const workers = { unit: 2, protocol: 2, process: 1, vm: 3, editor: 1 };

/**
 * What runs one after the other; in each of these, lanes that run side by side; in a lane, projects one after the other.
 * Real guests keep the processors busy while the other programs mostly wait for each other, and for a person's pace in
 * the editor: so those go first wherever both could, and guests step back for them.
 * @type {{projects: string[], niceness?: number}[][]}
 */
const stages = [
  [{ projects: ["unit", "protocol"] }],
  [{ projects: ["vm"], niceness: 2 }, { projects: ["process", "editor"] }],
];

/**
 * @param {string[]} projects
 * @returns {typeof stages}
 */
export const stagesOf = (projects) =>
  stages
    .map((lanes) =>
      lanes
        .map((lane) => ({
          ...lane,
          projects: lane.projects.filter((name) => projects.includes(name)),
        }))
        .filter((lane) => lane.projects.length > 0),
    )
    .filter((lanes) => lanes.length > 0);

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
 * @param {typeof stages} plan
 * @param {(project: string) => string[]} files
 * @param {ReadonlySet<string>} [ended] files that have ended
 * @returns {number} milliseconds that it takes, or takes still
 */
export function expectedMs(plan, files, ended = new Set()) {
  const known = knownDurations();
  /** @param {string} project */
  const projectMs = (project) => {
    const left = files(project)
      .filter((file) => !ended.has(file))
      .map(known);
    const sum = left.reduce((total, ms) => total + ms, 0);
    // No sooner than its longest file.
    return Math.max(
      sum / workers[/** @type {keyof typeof workers} */ (project)],
      ...left,
      0,
    );
  };
  /** @param {string[]} projects */
  const laneMs = (projects) =>
    projects.reduce((total, project) => total + projectMs(project), 0);
  return plan.reduce(
    (total, lanes) =>
      total + Math.max(...lanes.map(({ projects }) => laneMs(projects))),
    0,
  );
}

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
