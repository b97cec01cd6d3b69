/** What a run of the cases is told as: a line per case, with each engine's outcome and time. */
import { z } from "zod";

export const resultSchema = z.object({
  name: z.string(),
  engine: z.string(),
  /** Of the case as it was run. */
  key: z.string(),
  /** known: the reference failed where it is known to. */
  outcome: z.enum(["passed", "failed", "known", "skipped"]),
  seconds: z.number(),
  /** What differs, or why it was skipped; empty when it passed. */
  why: z.array(z.string()),
});
export type Result = z.infer<typeof resultSchema>;

const cell = (result: Result | undefined): string =>
  result === undefined
    ? "—"
    : result.outcome === "skipped"
      ? "skipped"
      : result.outcome === "known"
        ? "fails as known"
        : `${result.outcome} ${result.seconds.toFixed(1)} s`;

/** A Markdown table of case × outcome × time, and what differs below it. */
export function report(
  cases: readonly { readonly name: string; readonly about: string }[],
  results: readonly Result[],
): string {
  const engines = [...new Set(results.map(({ engine }) => engine))];
  const of = (name: string, engine: string): Result | undefined =>
    results.find((one) => one.name === name && one.engine === engine);
  const rows = [
    ["case", "about", ...engines],
    ...cases.map(({ name, about }) => [
      name,
      about,
      ...engines.map((engine) => cell(of(name, engine))),
    ]),
  ];
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  const line = (row: readonly string[]): string =>
    `| ${row.map((text, column) => text.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  const [head = [], ...others] = rows;
  return [
    line(head),
    line(widths.map((width) => "-".repeat(width))),
    ...others.map(line),
    "",
    ...engines.map((engine) => sums(engine, results)),
    ...results
      .filter(({ outcome }) => outcome !== "passed")
      .flatMap(({ name, engine, outcome, why }) => [
        "",
        `${name} (${engine}) ${outcome}:`,
        ...why.map((text) => `  - ${text}`),
      ]),
    "",
  ].join("\n");
}

function sums(engine: string, results: readonly Result[]): string {
  const own = results.filter((one) => one.engine === engine);
  const count = (outcome: Result["outcome"]): string =>
    `${String(own.filter((one) => one.outcome === outcome).length)} ${outcome}`;
  const seconds = own.reduce((sum, one) => sum + one.seconds, 0);
  return `${engine}: ${count("passed")}, ${count("failed")}, ${count("known")} to fail, ${count("skipped")}, ${seconds.toFixed(0)} s`;
}
