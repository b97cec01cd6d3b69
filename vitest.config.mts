import { defineConfig } from "vitest/config";
import LongestFirst from "./scripts/lib/longestFirst.mjs";
import { workers } from "./scripts/lib/testPlan.mjs";

/** How much slower this host is than the one that the limits were found on; `npm test` measures it. */
const pace = Math.max(1, Number(process.env["GUESTHOUSE_TEST_PACE"] ?? 1) || 1);

const project = (name: keyof typeof workers, timeoutMs: number) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: timeoutMs * pace,
    hookTimeout: timeoutMs * pace,
    maxWorkers: workers[name],
  },
});

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      project("unit", 10_000),
      project("protocol", 30_000),
      project("process", 120_000),
      project("vm", 450_000),
      project("editor", 300_000),
    ],
  },
});
