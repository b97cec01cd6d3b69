import { appendFileSync, renameSync, statSync } from "node:fs";

export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFields = Readonly<Record<string, unknown>>;

/** Structured log: one JSON object a line, with the fields of its context (`request`, `machine`, …). */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A log whose every line carries these fields too. */
  with(fields: LogFields): Log;
}

/** `write` takes one line without its newline. */
export function createLog(
  write: (line: string) => void,
  context: LogFields = {},
): Log {
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void =>
      write(
        JSON.stringify({
          time: new Date().toISOString(),
          level,
          message,
          ...context,
          ...flatten(fields),
        }),
      );
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    with: (fields) => createLog(write, { ...context, ...fields }),
  };
}

export const silentLog: Log = createLog(() => undefined);

/**
 * Appends lines to a file (0600) and starts anew past `maxBytes`, keeping one older file beside it.
 * Synchronous on purpose: the last line before a crash is the one that matters.
 */
export function fileLog(path: string, maxBytes = 4 * 1024 * 1024): Log {
  let written = sizeOf(path);
  return createLog((line) => {
    try {
      if (written > maxBytes) {
        renameSync(path, `${path}.1`);
        written = 0;
      }
      appendFileSync(path, `${line}\n`, { mode: 0o600 });
      written += line.length + 1;
    } catch {
      // A full disk must not take the helper down with its log.
    }
  });
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function flatten(fields: LogFields): LogFields {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      key,
      value instanceof Error
        ? {
            name: value.name,
            message: value.message,
            stack: value.stack,
            cause:
              value.cause instanceof Error ? value.cause.message : value.cause,
          }
        : value,
    ]),
  );
}
