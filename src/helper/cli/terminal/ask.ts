import { createInterface } from "node:readline";
import { promiseWithResolvers } from "../../../base/deadline.ts";

/** Somebody reads what is written, and can answer. */
export const isAskable = (): boolean =>
  process.stdin.isTTY && process.stderr.isTTY;

/**
 * Asks for a yes on the terminal; anything else, an ended input too, is a no. Throws the signal's reason. The line is the
 * terminal's own business (no raw mode), so Ctrl-C ends it as it ends any command.
 */
export async function askForYes(
  question: string,
  signal: AbortSignal,
): Promise<boolean> {
  const { promise, resolve, reject } = promiseWithResolvers<string>();
  const reader = createInterface({ input: process.stdin, terminal: false });
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    signal.throwIfAborted();
    reader.once("line", resolve);
    reader.once("close", () => resolve(""));
    process.stderr.write(`${question} [y/N] `);
    return /^y(es)?$/i.test((await promise).trim());
  } finally {
    signal.removeEventListener("abort", onAbort);
    reader.close();
  }
}
