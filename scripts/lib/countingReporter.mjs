// A vitest reporter that writes down what became of every test, for `npm test` to add up over its projects.
import { writeFileSync } from "node:fs";

/**
 * @typedef {object} Counts
 * @property {number} passed
 * @property {string[]} failed names of tests, and of files and suites that broke outside of a test
 * @property {{name: string, reason: string}[]} skipped
 */

export default class CountingReporter {
  /**
   * @param {ReadonlyArray<import("vitest/node").TestModule>} modules
   * @param {ReadonlyArray<unknown>} unhandledErrors
   */
  onTestRunEnd(modules, unhandledErrors) {
    /** @type {Counts} */
    const counts = { passed: 0, failed: [], skipped: [] };
    for (const module of modules) {
      const broken = [module, ...module.children.allSuites()].filter(
        (part) => part.errors().length > 0,
      );
      for (const part of broken) {
        const name = "fullName" in part ? ` > ${part.fullName}` : "";
        counts.failed.push(`${module.relativeModuleId}${name}`);
      }
      for (const test of module.children.allTests()) {
        const name = `${module.relativeModuleId} > ${test.fullName}`;
        const result = test.result();
        if (result.state === "passed") counts.passed++;
        else if (result.state === "failed") counts.failed.push(name);
        else {
          const note = "note" in result ? result.note : undefined;
          const reason =
            note ??
            (isInside(test, broken) ? "its file or suite broke" : undefined);
          counts.skipped.push({ name, reason: reason ?? "no reason given" });
        }
      }
    }
    for (const error of unhandledErrors) {
      counts.failed.push(`outside of any test: ${error?.message ?? error}`);
    }
    const path = process.env.GUESTHOUSE_TEST_COUNTS;
    if (path) writeFileSync(path, JSON.stringify(counts));
  }
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
