// A vitest reporter that writes down what became of every test, for `npm test` to add up over its projects, and which
// file has ended, for it to tell the time left.
import { appendFileSync, writeFileSync } from "node:fs";
import { relative } from "node:path";

/**
 * @typedef {object} Counts
 * @property {number} passed
 * @property {string[]} failed names of tests, and of files and suites that broke outside of a test, with the first
 *   words of why
 * @property {{name: string, reason: string}[]} skipped
 * @property {import("./durations.mjs").FileRun[]} files
 */

export default class CountingReporter {
  /** @param {import("vitest/node").TestModule} module */
  onTestModuleEnd(module) {
    const path = process.env.GUESTHOUSE_TEST_PROGRESS;
    if (path) appendFileSync(path, `${module.relativeModuleId}\n`);
  }

  /**
   * @param {ReadonlyArray<import("vitest/node").TestModule>} modules
   * @param {ReadonlyArray<unknown>} unhandledErrors
   */
  onTestRunEnd(modules, unhandledErrors) {
    /** @type {Counts} */
    const counts = { passed: 0, failed: [], skipped: [], files: [] };
    for (const module of modules) {
      const broken = [module, ...module.children.allSuites()].filter(
        (part) => part.errors().length > 0,
      );
      for (const part of broken) {
        const name = "fullName" in part ? ` > ${part.fullName}` : "";
        counts.failed.push(
          withReason(`${module.relativeModuleId}${name}`, part.errors()),
        );
      }
      for (const test of module.children.allTests()) {
        const name = `${module.relativeModuleId} > ${test.fullName}`;
        const result = test.result();
        if (result.state === "passed") counts.passed++;
        else if (result.state === "failed") {
          counts.failed.push(withReason(name, result.errors));
        } else {
          const note = "note" in result ? result.note : undefined;
          const reason =
            note ??
            (isInside(test, broken) ? "its file or suite broke" : undefined);
          counts.skipped.push({
            name,
            reason: reason ?? reasonIn(test.fullName) ?? "no reason given",
          });
        }
      }
    }
    counts.files = modules.map(fileRun);
    for (const error of unhandledErrors) {
      counts.failed.push(`outside of any test: ${error?.message ?? error}`);
    }
    const path = process.env.GUESTHOUSE_TEST_COUNTS;
    if (path) writeFileSync(path, JSON.stringify(counts));
  }
}

/**
 * @param {import("vitest/node").TestModule} module
 * @returns {import("./durations.mjs").FileRun}
 */
function fileRun(module) {
  const states = [...module.children.allTests()].map(
    (test) => test.result().state,
  );
  /** @param {string} state */
  const count = (state) => states.filter((one) => one === state).length;
  const { duration, setupDuration, collectDuration, prepareDuration } =
    module.diagnostic();
  return {
    project: module.project.name,
    file: module.relativeModuleId,
    ms: duration + setupDuration + collectDuration + prepareDuration,
    passed: count("passed"),
    failed: count("failed"),
    skipped: states.length - count("passed") - count("failed"),
  };
}

/**
 * Tests that are decided on before they run have their condition in their name: "… (skipped without isoinfo)".
 * @param {string} name
 */
const reasonIn = (name) =>
  [...name.matchAll(/(?:[([]|: (?=skipped))([^()[\]]+)/g)]
    .map(([, words]) => words)
    .find((words) => !/^B\d/.test(words ?? ""));

/**
 * The whole report may be far up in a log, or cut.
 *
 * @param {string} name
 * @param {ReadonlyArray<{message: string, stacks?: ReadonlyArray<{file: string, line: number}>}>} errors
 */
function withReason(name, errors) {
  const lines = errors.map(({ message, stacks }) => {
    const at = stacks?.[0];
    const where = at ? ` (${relative(".", at.file)}:${at.line})` : "";
    return `\n         ${message.split("\n").slice(0, 20).join("\n         ").slice(0, 2_000)}${where}`;
  });
  return `${name}${lines.join("")}`;
}

/**
 * @param {import("vitest/node").TestCase} test
 * @param {ReadonlyArray<unknown>} parts
 */
function isInside(test, parts) {
  let part = test.parent;
  while (part.type === "suite" && !parts.includes(part)) part = part.parent;
  return parts.includes(part);
}
