import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeEach, onTestFailed } from "vitest";

/**
 * What a test file started ends after its last test, in reverse order, and also when the rest never came up.
 * @returns notes how to end something, as soon as it was started
 */
export function endings(): (end: () => Promise<unknown>) => void {
  const ends: (() => Promise<unknown>)[] = [];
  afterAll(async () => {
    for (const end of ends.toReversed()) await end();
  });
  return (end) => void ends.push(end);
}

/** Leaves a picture of the window in dist-test/failures for each test that fails. */
export function pictureFailures(page: () => Page | undefined): void {
  beforeEach(({ task }) => {
    onTestFailed(async () => {
      const folder = join(
        import.meta.dirname,
        "../../../dist-test/failures",
        task.file.name.replaceAll(/[^\w.-]+/g, "_"),
      );
      await mkdir(folder, { recursive: true });
      const file = `${task.name.replaceAll(/[^\w-]+/g, "_").slice(0, 80)}.png`;
      await page()?.screenshot({ path: join(folder, file) });
    });
  });
}
