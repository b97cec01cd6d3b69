import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import Mocha from "mocha";
import type { HostTest } from "./hostTests.ts";

/**
 * Runs mocha suites inside the extension host and writes what became of each test to the file that the outside asked
 * for. Rejects when a test failed, which is how VS Code learns its exit code.
 * @param define declares the suites, with mocha's `tdd` functions in place
 */
export async function runMocha(define: () => void): Promise<void> {
  const mocha = new Mocha({ ui: "tdd", timeout: 60_000, color: false });
  mocha.suite.emit(
    "pre-require",
    globalThis as unknown as Mocha.MochaGlobals,
    "host",
    mocha,
  );
  define();
  const tests: HostTest[] = [];
  const failures = await new Promise<number>((resolve) => {
    const runner = mocha.run(resolve);
    const note =
      (state: HostTest["state"]) => (test: Mocha.Runnable, error?: Error) => {
        const told =
          error === undefined ? {} : { error: error.stack ?? error.message };
        tests.push({
          title: test.fullTitle(),
          state,
          durationMs: test.duration ?? 0,
          ...told,
        });
      };
    runner
      .on("pass", note("passed"))
      .on("fail", note("failed"))
      .on("pending", note("skipped"));
  });
  const reportFile = process.env["GUESTHOUSE_HOST_REPORT"];
  if (reportFile !== undefined)
    writeFileSync(reportFile, JSON.stringify(tests));
  if (failures > 0)
    throw new Error(`${failures} of ${tests.length} tests failed.`);
}

/** A variable that the outside has set for the suite. */
export function env(name: string): string {
  const value = process.env[name];
  assert.ok(value !== undefined, `${name} is not set`);
  return value;
}
