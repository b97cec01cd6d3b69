#!/usr/bin/env node
// `npm test`: asks and sets up what is missing first, runs every kind of test, and closes with the counts.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  keepDurations,
  knownDurations,
  longestTable,
} from "./lib/durations.mjs";
import { askAtOnce, prepare, prerequisites } from "./lib/prerequisites.mjs";
import { checkNode, ensureBuilt, ensureDependencies } from "./lib/project.mjs";
import { Failure, runMain, say } from "./lib/progress.mjs";
import { endAll } from "./lib/run.mjs";
import {
  endedFiles,
  expectedMs,
  filesOf,
  measurePace,
  planOf,
  quickFiles,
} from "./lib/testPlan.mjs";
import { failure, runProject, skipProject } from "./lib/testRun.mjs";

/** @import { Counts } from "./lib/countingReporter.mjs" */
/** @import { Job, Plan } from "./lib/testPlan.mjs" */

const known = Object.keys(prerequisites);
const usage = `npm test -- [options] [project …] [options of vitest]

  project    one or more of ${known.join(", ")}; without one, all of them
  --quick    no guests: unit, protocol and the short files of process, in about a minute
  --yes      install missing programs without asking
  --help     this

Another option or the path of a file, and what follows it, goes to vitest:
  npm test -- vm -t "pause and resume"
  npm test -- vm test/vm/forks.test.ts`;

/** What `npm test` was asked for. */
function readWords() {
  const ours = new Set(["--quick", "--yes", "--help"]);
  const words = process.argv.slice(2);
  const own = words.filter((word) => ours.has(word));
  const others = words.filter((word) => !ours.has(word));
  const forVitest = others.findIndex(
    (word) => word.startsWith("-") || word.includes("/"),
  );
  const projects = forVitest < 0 ? others : others.slice(0, forVitest);
  const unknown = projects.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new Failure(
      `There is no kind of test called ${unknown}.`,
      `known are ${known.join(", ")}`,
      "Name one of these, or none to run all.",
    );
  }
  const quick = own.includes("--quick");
  return {
    quick,
    assumeYes: own.includes("--yes"),
    help: own.includes("--help"),
    projects:
      projects.length > 0
        ? projects
        : quick
          ? ["unit", "protocol", "process"]
          : known,
    forVitest: forVitest < 0 ? [] : others.slice(forVitest),
  };
}

/** @param {number} ms */
const minutes = (ms) =>
  ms < 90_000
    ? `${Math.max(10, Math.round(ms / 10_000) * 10)} s`
    : `${Math.round(ms / 60_000)} min`;

/** Ends what was begun when this is told to end. */
function untilTold() {
  const controller = new AbortController();
  for (const name of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]))
    process.once(name, () => {
      controller.abort();
      endAll();
    });
  return controller.signal;
}

/**
 * @param {ReturnType<typeof readWords>} asked
 * @param {Plan} plan
 * @param {{env: Record<string, string>, signal: AbortSignal}} how
 * @returns {Promise<Counts[]>}
 */
async function runAll({ projects, forVitest }, plan, how) {
  /** @type {Counts[]} */
  const all = [];
  /** @type {Map<string, Record<string, string>>} */
  const ready = new Map();
  // All of it before the first test: nothing is installed beside tests whose time is counted.
  for (const project of projects) {
    if (how.signal.aborted) return [];
    const prepared = await prepare(project);
    if ("env" in prepared) ready.set(project, prepared.env);
    else if ("failed" in prepared)
      all.push(failure(`${project}: ${prepared.failed}`));
    else {
      say(`Tests: ${project} are skipped: ${prepared.skipped}`);
      all.push(await skipProject(project, prepared.skipped, forVitest));
    }
  }
  /** @param {Job} job */
  const perform = async ({ project, files = [] }, beside = false) => {
    const env = ready.get(project);
    if (env === undefined || how.signal.aborted) return;
    say(`Tests: ${[project, ...(beside ? files : [])].join(" ")}`);
    all.push(
      await runProject(project, [...files, ...forVitest], {
        env: { ...how.env, ...env },
        beside,
      }),
    );
  };
  for (const job of plan.first) await perform(job);
  const rest = plan.rest.filter(({ project }) => ready.has(project));
  const lanes = plan.lanes.filter(
    (own, index) => own.length > 0 || index < rest.length,
  );
  await Promise.all(
    lanes.map(async (own) => {
      for (const job of own) await perform(job, lanes.length > 1);
      for (let job = rest.shift(); job; job = rest.shift())
        await perform(job, lanes.length > 1);
    }),
  );
  return all;
}

/** @param {Counts[]} all */
async function tell(all) {
  const files = all.flatMap((counts) => counts.files);
  const before = knownDurations();
  console.log();
  if (files.length > 1)
    for (const line of longestTable(files, before)) console.log(line);
  if (files.length > 0)
    say(`How long each file took is kept in ${await keepDurations(files)}.`);
  console.log();
  const failed = all.flatMap((counts) => counts.failed);
  const skipped = all.flatMap((counts) => counts.skipped);
  const passed = all.reduce((sum, counts) => sum + counts.passed, 0);
  for (const { name, reason } of skipped)
    console.log(`skipped  ${name}\n         ${reason}`);
  for (const name of failed) console.log(`failed   ${name}`);
  console.log(
    `${passed} passed, ${failed.length} failed, ${skipped.length} skipped`,
  );
  return failed.length > 0 ? 1 : 0;
}

async function main() {
  const asked = readWords();
  if (asked.help) {
    console.log(usage);
    return;
  }
  const signal = untilTold();
  checkNode();
  await ensureDependencies();
  await askAtOnce(asked.projects, { assumeYes: asked.assumeYes });
  await ensureBuilt();

  const { quick, projects, forVitest } = asked;
  // What vitest is told beside may be a single test.
  const whole = forVitest.length === 0;
  const plan = planOf(projects, { quick, filtered: !whole });
  const guests = projects.some((name) => ["vm", "editor"].includes(name));
  if (whole)
    say(
      `The tests take about ${minutes(expectedMs(plan))}${guests ? "; image, template and editor a few minutes more where they aren't here yet" : ""}.`,
    );
  if (quick)
    say(
      `Left out: vm and editor (real guests), and ${filesOf("process").length - quickFiles().length} of the ${filesOf("process").length} files of process (longer than 3 s).`,
    );
  const measured = measurePace();
  if (measured > 1.5)
    say(`This host is ${measured} times slower than usual: limits are longer.`);
  // Guests side by side slow each other down by more than that.
  const pace = whole && guests ? Math.max(2, measured) : measured;

  const folder = await mkdtemp(join(tmpdir(), "gh-tests-"));
  const progress = join(folder, "ended");
  const env = {
    GUESTHOUSE_TEST_PACE: String(pace),
    GUESTHOUSE_TEST_PROGRESS: progress,
  };
  let told = "";
  const timer = setInterval(() => {
    const left = minutes(expectedMs(plan, endedFiles(progress)));
    if (whole && left !== told) say(`About ${left} left.`);
    told = left;
  }, 60_000);
  try {
    const all = await runAll(asked, plan, { env, signal });
    if (signal.aborted) all.push(failure("it was told to end"));
    return await tell(all);
  } finally {
    clearInterval(timer);
    await rm(folder, { recursive: true, force: true });
  }
}

await runMain(main);
