/*
 * What the reference implementation prints while it works (`--log-format json`: an object a line on its standard error) and
 * at its end (one object on its standard output), read for our stages and log. It runs in a guest, so nothing here is taken
 * on trust. Pure.
 */
import * as z from "zod";
import { guestLifecycle } from "../devcontainer/model.ts";

const lineSchema = z.looseObject({
  type: z.string(),
  /** 1 trace, 2 debug, 3 info, 4 warning, 5 error. */
  level: z.number().optional(),
  text: z.string().optional(),
  name: z.string().optional(),
  status: z.string().optional(),
  stepDetail: z.string().optional(),
  channel: z.string().optional(),
});

/** What a line tells. */
export interface LogLine {
  /** For the workspace's log; ends with a line break unless it is raw output. */
  readonly text?: string;
  /** A command of the file or the image begins. */
  readonly begins?: (typeof guestLifecycle)[number] | "dotfiles";
}

const info = 3;

const longestLine = 1 << 20;

/** Takes output in pieces, tells whole lines. A line beyond a MiB is cut. */
export class LineReader {
  #rest = "";
  readonly #tell: (line: string) => void;

  constructor(tell: (line: string) => void) {
    this.#tell = tell;
  }

  take(text: string): void {
    const lines = text.split("\n");
    lines[0] = this.#rest + (lines[0] ?? "");
    this.#rest = (lines.pop() ?? "").slice(0, longestLine);
    for (const line of lines) if (line.trim() !== "") this.#tell(line);
  }

  end(): void {
    if (this.#rest.trim() !== "") this.#tell(this.#rest);
    this.#rest = "";
  }
}

/** A line of the log; what isn't JSON is shown as it is. */
export function readLogLine(line: string): LogLine {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { text: `${line}\n` };
  }
  const read = lineSchema.safeParse(value);
  if (!read.success) return {};
  const { type, level = info, text, name, status } = read.data;
  if (level < info) return {};
  switch (type) {
    case "progress": {
      const command =
        guestLifecycle.find((each) => name?.includes(each)) ??
        (name?.includes("Dotfiles") === true ? "dotfiles" : undefined);
      return command !== undefined && status === "running"
        ? { begins: command }
        : {};
    }
    case "raw":
      return text === undefined ? {} : { text };
    case "start":
    case "text":
      return text === undefined || text === "" ? {} : { text: `${text}\n` };
    default:
      return {};
  }
}

const resultSchema = z.discriminatedUnion("outcome", [
  z.looseObject({
    outcome: z.literal("success"),
    containerId: z.string().regex(/^[0-9a-f]{12,64}$/),
    remoteUser: z.string().optional(),
    remoteWorkspaceFolder: z.string().optional(),
    composeProjectName: z.string().optional(),
    mergedConfiguration: z.looseObject({}).optional(),
  }),
  z.looseObject({
    outcome: z.literal("error"),
    message: z.string().optional(),
    description: z.string().optional(),
    containerId: z.string().optional(),
  }),
]);
export type ReferenceResult = z.output<typeof resultSchema>;

/** The last line of its output that is a result; undefined when there is none. */
export function readResult(printed: string): ReferenceResult | undefined {
  for (const line of printed.trimEnd().split("\n").reverse()) {
    try {
      const read = resultSchema.safeParse(JSON.parse(line));
      if (read.success) return read.data;
    } catch {
      // Something else was printed there.
    }
  }
  return undefined;
}
