export interface Row {
  readonly what: string;
  readonly value: string;
  /** What it is held against, e.g. `target < 50 ms` or `1.04 × floor`. */
  readonly against: string;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? NaN)
    : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}

export const milliseconds = (ms: number): string =>
  ms < 10
    ? `${ms.toFixed(2)} ms`
    : ms < 10_000
      ? `${ms.toFixed(0)} ms`
      : `${(ms / 1000).toFixed(1)} s`;

export const spread = (values: readonly number[]): string =>
  `${milliseconds(median(values))} (min ${milliseconds(Math.min(...values))}, n = ${String(values.length)})`;

export function printRows(rows: readonly Row[]): void {
  const width = (pick: (row: Row) => string): number =>
    Math.max(...rows.map((row) => pick(row).length));
  const [first, second] = [
    width(({ what }) => what),
    width(({ value }) => value),
  ];
  for (const { what, value, against } of rows)
    process.stdout.write(
      `${what.padEnd(first)}  ${value.padEnd(second)}  ${against}\n`,
    );
}
