/* Prints a machine's boot log: what its console showed, and our own marks. */
import { sleep } from "../../../base/deadline.ts";
import type { Session } from "../terminal/session.ts";

export interface LogFlags {
  readonly follow?: boolean;
  readonly json?: boolean;
  /** Only so many of the last lines of what is there now. */
  readonly tail?: number;
}

/** Prints it as it comes, or answers with it for JSON. Also that of a deleted machine, by its id. */
export async function printBootLog(
  { client, signal }: Session,
  machine: string,
  { follow, json, tail }: LogFlags,
): Promise<{ text: string }> {
  let offset = 0;
  let kept = "";
  let isShort = tail !== undefined;
  for (;;) {
    const { text, nextOffset, complete } = await client.call(
      "machines.log",
      { machine, offset },
      signal,
    );
    offset = nextOffset;
    if (json === true || isShort) kept += text;
    else process.stdout.write(text);
    if (!complete) continue;
    if (isShort && tail !== undefined) kept = lastLines(kept, tail);
    if (isShort && json !== true) process.stdout.write(kept);
    isShort = false;
    if (follow !== true) return { text: kept };
    await sleep(250, signal);
  }
}

/** Pure. */
export function lastLines(text: string, count: number): string {
  if (count === 0) return "";
  const lines = text.split("\n");
  // A line break ends the last line; it doesn't begin another.
  const end = lines.at(-1) === "" ? 1 : 0;
  return lines.slice(-(count + end)).join("\n");
}
