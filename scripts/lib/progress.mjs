// What the scripts say to the person who started them: one line per step with its time, and failures with a remedy.

const startedMs = performance.now();

/** A failure that somebody can act on: what went wrong, why, and what to do about it. */
export class Failure extends Error {
  /**
   * @param {string} what
   * @param {string} why
   * @param {string} remedy
   */
  constructor(what, why, remedy) {
    super(`${what}\n  Why:    ${why}\n  Remedy: ${remedy}`);
    this.name = "Failure";
  }
}

/** Something that this machine lacks and that could not be brought here. */
export class Unavailable extends Failure {}

/** @param {number} ms */
export const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

/** @param {string} text */
export function say(text) {
  console.log(`${seconds(performance.now() - startedMs).padStart(8)}  ${text}`);
}

/**
 * Announces a step, runs it, and says how long it took.
 * @template T
 * @param {string} title
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function step(title, work) {
  const beganMs = performance.now();
  say(`${title} …`);
  const result = await work();
  say(`${title}: done in ${seconds(performance.now() - beganMs)}`);
  return result;
}

/**
 * Runs a script's main function; a failure is printed and sets the exit code.
 * @param {() => Promise<number | undefined>} main its number becomes the exit code
 */
export async function runMain(main) {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    const told = error instanceof Failure;
    console.error(
      `\n${told ? error.message : `Unexpected failure: ${error?.stack ?? error}`}`,
    );
    process.exitCode = 1;
  }
}
