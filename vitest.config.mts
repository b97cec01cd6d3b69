import { defineConfig } from "vitest/config";

const project = (name: string, timeoutMs: number, parallel: boolean) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
    fileParallelism: parallel,
  },
});

export default defineConfig({
  test: {
    projects: [
      project("unit", 10_000, true),
      project("protocol", 30_000, true),
      project("process", 120_000, false),
      project("vm", 900_000, false),
      project("editor", 900_000, false),
    ],
  },
});
