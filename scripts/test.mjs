#!/usr/bin/env node
// `npm test`: sets up what is missing, runs every kind of test, and closes with the counts.
// `npm test -- unit vm` runs these projects only; what begins with a dash, and what follows it, goes to vitest.
import { prepare, prerequisites } from "./lib/prerequisites.mjs";
import { checkNode, ensureBuilt, ensureDependencies } from "./lib/project.mjs";
import { Failure, runMain, say } from "./lib/progress.mjs";
import { runProject, skipProject } from "./lib/testRun.mjs";

async function main() {
  const words = process.argv.slice(2);
  const firstOption = words.findIndex((word) => word.startsWith("-"));
  const projects = firstOption < 0 ? words : words.slice(0, firstOption);
  const forVitest = firstOption < 0 ? [] : words.slice(firstOption);
  const known = Object.keys(prerequisites);
  const unknown = projects.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new Failure(
      `There is no kind of test called ${unknown}.`,
      `known are ${known.join(", ")}`,
      "Name one of these, or none to run all.",
    );
  }

  checkNode();
  await ensureDependencies();
  await ensureBuilt();

  /** @type {import("./lib/countingReporter.mjs").Counts} */
  const total = { passed: 0, failed: [], skipped: [] };
  for (const project of known) {
    if (projects.length > 0 && !projects.includes(project)) continue;
    const prepared = await prepare(project);
    if ("failed" in prepared) {
      total.failed.push(`${project}: ${prepared.failed}`);
      continue;
    }
    say(
      `Tests: ${project}${"skipped" in prepared ? ` are skipped: ${prepared.skipped}` : ""}`,
    );
    const counts =
      "skipped" in prepared
        ? await skipProject(project, prepared.skipped, forVitest)
        : await runProject(project, forVitest, prepared.env);
    total.passed += counts.passed;
    total.failed.push(...counts.failed);
    total.skipped.push(...counts.skipped);
  }

  console.log();
  for (const { name, reason } of total.skipped)
    console.log(`skipped  ${name}\n         ${reason}`);
  for (const name of total.failed) console.log(`failed   ${name}`);
  console.log(
    `${total.passed} passed, ${total.failed.length} failed, ${total.skipped.length} skipped`,
  );
  return total.failed.length > 0 ? 1 : 0;
}

await runMain(main);
