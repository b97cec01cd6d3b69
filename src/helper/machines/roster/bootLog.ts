import { appendFile, open, rename, stat } from "node:fs/promises";
import { isMissing } from "../../../base/files.ts";
import type { Log } from "../../../base/log.ts";

/** A log past this size starts anew at the next boot; the older half of the story moves to `<log>.1`. */
const maxLogBytes = 4 * 1024 * 1024;

/**
 * The boot log is one file with two writers: QEMU appends what the guest's console says, we append marks.
 * Both open it for appending, so neither overwrites the other.
 */
export async function mark(path: string, text: string): Promise<void> {
  await appendFile(path, `\n── ${text} ──\n`, { mode: 0o600 });
}

/** Begins a boot: rotates a log that has grown too large; answers where this boot starts. */
export async function beginBoot(path: string, title: string): Promise<number> {
  if ((await sizeOf(path)) > maxLogBytes) await rename(path, `${path}.1`);
  await mark(path, title);
  return sizeOf(path);
}

/** Size in bytes; 0 when there is none. */
export async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isMissing(error)) return 0;
    throw error;
  }
}

/** Reads from a byte offset, `maxBytes` at most; never splits a UTF-8 character. */
export async function readLog(
  path: string,
  offset: number,
  maxBytes: number,
): Promise<{ text: string; nextOffset: number; complete: boolean }> {
  let file;
  try {
    file = await open(path, "r");
  } catch (error) {
    if (isMissing(error)) return { text: "", nextOffset: 0, complete: true };
    throw error;
  }
  try {
    const { size } = await file.stat();
    const from = offset > size ? 0 : offset;
    const buffer = Buffer.alloc(Math.min(maxBytes, size - from));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, from);
    const atEnd = from + bytesRead >= size;
    const whole = atEnd ? bytesRead : wholeCharacters(buffer, bytesRead);
    const nextOffset = from + whole;
    return {
      text: buffer.toString("utf8", 0, whole),
      nextOffset,
      complete: nextOffset >= size,
    };
  } finally {
    await file.close();
  }
}

function wholeCharacters(buffer: Buffer, length: number): number {
  let end = length;
  for (let back = 1; back <= 3 && length - back >= 0; back++) {
    const byte = buffer[length - back] ?? 0;
    if (byte < 0x80) break;
    if (byte >= 0xc0) {
      end = length - back;
      break;
    }
  }
  return end === 0 ? length : end;
}

/** The last `count` lines that say something. */
export async function logTail(path: string, count: number): Promise<string[]> {
  const size = await sizeOf(path);
  const { text } = await readLog(path, Math.max(0, size - 16_384), 16_384);
  return text
    .split(/\r?\n/)
    .filter((line) => line.trim() !== "")
    .slice(-count);
}

/**
 * Follows the logs of running machines and tells what is new. Polls: a quarter of a second is below what a reader
 * notices, and inotify's ways differ between systems.
 */
export function followLogs(
  watched: () => { id: string; path: string }[],
  tell: (id: string, offset: number, text: string) => void,
  log: Log,
): () => void {
  const offsets = new Map<string, number>();
  let busy = false;
  const round = async (): Promise<void> => {
    const now = watched();
    for (const { id, path } of now) {
      const size = await sizeOf(path);
      const known = offsets.get(id);
      // First sight: earlier text is fetched by whoever opens the log.
      const from = known === undefined ? size : known > size ? 0 : known;
      if (size > from) {
        const { text, nextOffset } = await readLog(path, from, 262_144);
        tell(id, from, text);
        offsets.set(id, nextOffset);
      } else offsets.set(id, from);
    }
  };
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    round()
      .catch((error: unknown) => log.warn("following logs failed", { error }))
      .finally(() => (busy = false));
  }, 250);
  timer.unref();
  return () => clearInterval(timer);
}
