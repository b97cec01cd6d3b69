/*
 * The logs of workspaces: one file each, to which each `up` adds a part. Text is written in order and told only when it is on
 * disk; a disk without room costs the text and ends nothing. An `up` owns its log while it holds the workspace's lock.
 */
import { appendFile } from "node:fs/promises";
import { makePrivateFolder } from "../../../base/files.ts";
import { beginBoot, sizeOf } from "../../machines/roster/bootLog.ts";
import { dirname } from "node:path";

/** The log of one workspace during one `up`: written in order, told as it is written. */
export interface WorkspaceLog {
  readonly path: string;
  /** Marks the beginning of a stage. */
  mark(text: string): void;
  /** What a command printed. */
  write(text: string): void;
  /** A sentence of ours. */
  note(text: string): void;
  /** Settles when everything so far is on disk. */
  flush(): Promise<void>;
}

/** Begins a new part of the log; a log that has grown too large starts anew. */
export async function openLog(
  path: string,
  title: string,
  tell: (offset: number, text: string) => void,
): Promise<WorkspaceLog> {
  await makePrivateFolder(dirname(path));
  await beginBoot(path, title);
  let offset = await sizeOf(path);
  let last: Promise<void> = Promise.resolve();
  const write = (text: string): void => {
    last = last
      .then(async () => {
        await appendFile(path, text, { mode: 0o600 });
        tell(offset, text);
        offset += Buffer.byteLength(text);
      })
      // A full disk must not end what the log only tells of.
      .catch(() => undefined);
  };
  return {
    path,
    write,
    mark: (text) => write(`\n── ${text} ──\n`),
    note: (text) => write(`${text}\n`),
    flush: () => last,
  };
}

/** Keeps the last lines of a stream of text, which comes in pieces. */
export class Tail {
  readonly #most: number;
  #lines: string[] = [];
  #rest = "";

  constructor(most: number) {
    this.#most = most;
  }

  take(text: string): void {
    const lines = `${this.#rest}${text}`.split(/\r?\n/);
    this.#rest = (lines.pop() ?? "").slice(-4096);
    this.#lines = [
      ...this.#lines,
      ...lines.filter((line) => line.trim() !== ""),
    ].slice(-this.#most);
  }

  lines(): string[] {
    const rest = this.#rest.trim() === "" ? [] : [this.#rest];
    return [...this.#lines, ...rest].slice(-this.#most);
  }
}

/** Adds one sentence to a workspace's log, between its `up`s. */
export async function noteInLog(
  path: string,
  sentence: string,
  tell: (offset: number, text: string) => void,
): Promise<void> {
  const log = await openLog(path, new Date().toISOString(), tell);
  log.note(sentence);
  await log.flush();
}
