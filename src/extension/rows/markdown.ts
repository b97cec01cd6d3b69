/** Text of others must not become Markdown. */
export const escaped = (text: string): string =>
  text.replaceAll(/[\\`*_{}[\]()#+!|<>$~]/g, "\\$&").replaceAll(/\s+/g, " ");

export const code = (text: string): string =>
  `\`${text.replaceAll("`", "'").replaceAll("|", "\\|")}\``;

/** A block of lines as they are; the fence is longer than any in the text. */
export function block(lines: readonly string[]): string {
  const text = lines.join("\n");
  const longest = Math.max(
    2,
    ...(text.match(/`{3,}/g) ?? []).map(({ length }) => length),
  );
  const fence = "`".repeat(longest + 1);
  return `${fence}text\n${text}\n${fence}`;
}

export type Fact = readonly [label: string, value: string];

/** Two columns without a head. */
export const factTable = (facts: readonly Fact[]): string =>
  [
    "| | |",
    "|---|---|",
    ...facts.map(([label, value]) => `| ${label}&nbsp;&nbsp; | ${value} |`),
  ].join("\n");
