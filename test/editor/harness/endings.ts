import { afterAll } from "vitest";

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
