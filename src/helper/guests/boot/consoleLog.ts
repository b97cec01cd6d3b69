import { open, stat, type FileHandle } from "node:fs/promises";
import { isMissing } from "../../../base/files.ts";
import { sleep } from "../../../base/deadline.ts";
import { withoutControls } from "./consoleStages.ts";

const chunkBytes = 64 * 1024;
const pollMs = 80;

/**
 * Calls `onLine` for each line from `offset` on, those that are there and those to come, until the signal fires; then
 * throws its reason. A missing file is waited for. A line is told as soon as it ends, a prompt without an end never.
 */
export async function followConsole(
  path: string,
  offset: number,
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<never> {
  const file = await openWhenThere(path, signal);
  try {
    const buffer = Buffer.alloc(chunkBytes);
    let position = offset;
    let rest = "";
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, chunkBytes, position);
      signal.throwIfAborted();
      position += bytesRead;
      const lines = (rest + buffer.toString("latin1", 0, bytesRead)).split(
        "\n",
      );
      rest = (lines.pop() ?? "").slice(-chunkBytes);
      for (const line of lines) onLine(line);
      if (bytesRead === 0) await sleep(pollMs, signal);
    }
  } finally {
    await file.close();
  }
}

async function openWhenThere(
  path: string,
  signal: AbortSignal,
): Promise<FileHandle> {
  for (;;) {
    try {
      return await open(path, "r");
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    await sleep(pollMs, signal);
  }
}

export interface ConsoleTail {
  /** Newest last, as a reader sees them, empty ones left out. */
  readonly lines: readonly string[];
  /** Milliseconds since something was written last; undefined when there is no file. */
  readonly quietMs?: number;
}

/** The newest lines of this boot, at most `maxBytes` of them. */
export async function consoleTail(
  path: string,
  offset: number,
  maxBytes = 32 * 1024,
): Promise<ConsoleTail> {
  try {
    const { size, mtimeMs } = await stat(path);
    const from = Math.max(Math.min(offset, size), size - maxBytes);
    const buffer = Buffer.alloc(size - from);
    const file = await open(path, "r");
    try {
      await file.read(buffer, 0, buffer.length, from);
    } finally {
      await file.close();
    }
    const lines = buffer
      .toString("utf8")
      .split("\n")
      .map((line) => withoutControls(line).trimEnd())
      .filter((line) => line.trim() !== "");
    return { lines, quietMs: Math.max(0, Date.now() - mtimeMs) };
  } catch (error) {
    if (isMissing(error)) return { lines: [] };
    throw error;
  }
}
