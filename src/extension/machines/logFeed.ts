import type { NoticeParams, Result } from "../../protocol/contract.ts";

export interface LogFeedPorts {
  /** `machines.log` from a byte offset. */
  readonly read: (
    offset: number,
  ) => Promise<
    Pick<Result<"machines.log">, "text" | "nextOffset" | "complete">
  >;
  readonly write: (text: string) => void;
  /** The file began anew; what was written belongs to a file that is gone. */
  readonly restart: () => void;
}

type Logged = Pick<NoticeParams<"machines.logged">, "offset" | "text">;

export interface LogFeed {
  /** Reads on from where it is; notices that come meanwhile are kept in order. */
  readonly catchUp: () => Promise<void>;
  readonly onLogged: (logged: Logged) => void;
}

/**
 * Puts a log together from reads and notices: each byte once, in order. Offsets count bytes of the file.
 *
 * A read and a notice may bring the same bytes, because the file grows while it is read; a notice that skips bytes
 * was preceded by one that was lost with a connection, so the gap is read.
 */
export function createLogFeed({ read, write, restart }: LogFeedPorts): LogFeed {
  let position = 0;
  /** False after bytes that were no UTF-8: their replacement is longer than they were, so `position` is too high. */
  let exact = true;
  let reading: Promise<void> | undefined;
  const waiting: Logged[] = [];

  const readAll = async (): Promise<void> => {
    for (;;) {
      const { text, nextOffset, complete } = await read(position);
      if (text !== "") write(text);
      const moved = nextOffset > position;
      position = nextOffset;
      exact = true;
      if (complete || !moved) return;
    }
  };

  const append = (text: string, end: number): void => {
    write(text);
    position = end;
    exact &&= !text.includes("\uFFFD");
  };

  /** Applies a notice; false when bytes before it are missing. */
  const apply = ({ offset, text }: Logged, mayRestart: boolean): boolean => {
    const bytes = Buffer.from(text);
    const end = offset + bytes.length;
    if (offset > position) return false;
    if (offset === position || (!exact && end > position)) {
      append(text, end);
    } else if (end > position) {
      append(bytes.subarray(position - offset).toString(), end);
    } else if (mayRestart && offset === 0) {
      restart();
      append(text, end);
    }
    return true;
  };

  const catchUp = (): Promise<void> => {
    reading ??= (async () => {
      try {
        await readAll();
        // What was read may cover what was noticed meanwhile; that is no restart.
        for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
          if (!apply(next, false)) {
            const before = position;
            await readAll();
            // A gap that no read can fill is skipped rather than asked for endlessly.
            if (position === before) position = next.offset;
            continue;
          }
          waiting.shift();
        }
      } finally {
        waiting.length = 0;
        reading = undefined;
      }
    })();
    return reading;
  };

  return {
    catchUp,
    onLogged(logged) {
      if (reading !== undefined) waiting.push(logged);
      else if (!apply(logged, true)) {
        waiting.push(logged);
        void catchUp().catch(() => undefined);
      }
    },
  };
}
