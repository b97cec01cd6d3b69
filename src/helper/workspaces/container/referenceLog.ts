/*
 * What the reference implementation prints while it works (`--log-format json`: an object a line on its standard error) and
 * at its end (one object on its standard output), read for our stages and log. It runs in a guest, so nothing here is taken
 * on trust. Pure.
 */
import * as z from "zod";

const lineSchema = z.looseObject({
  type: z.string(),
  /** 1 trace, 2 debug, 3 info, 4 warning, 5 error. */
  level: z.number().optional(),
  text: z.string().optional(),
});

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

/** What a line says for the workspace's log, if anything; ends with a line break unless it is raw output. What isn't JSON is shown as it is. */
export function readLogLine(line: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return `${line}\n`;
  }
  const read = lineSchema.safeParse(value);
  if (!read.success) return undefined;
  const { type, level = info, text } = read.data;
  if (level < info || text === undefined || text === "") return undefined;
  switch (type) {
    case "raw":
      return text;
    case "start":
    case "text":
      return `${text}\n`;
    default:
      return undefined;
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
