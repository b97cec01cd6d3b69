import { defineConfig } from "vitest/config";

const project = (name: string, timeoutMs: number, workers: number) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
    maxWorkers: workers,
  },
});

export default defineConfig({
  test: {
    projects: [
      project("unit", 10_000, 2),
      project("protocol", 30_000, 2),
      project("process", 120_000, 1),
      // A guest that boots waits for its own disk and timers for half of the time.
      project("vm", 900_000, 2),
      project("editor", 900_000, 1),
    ],
  },
});
