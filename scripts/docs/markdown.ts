/** The first lines of a page that nobody edits by hand. */
export const written = (title: string, introduction: string): string =>
  `# ${title}\n\n${introduction}\n\n_Written by \`npm run docs\`; don't edit it by hand._\n`;

/** A text in one cell of a table. Pure. */
export const cell = (text: string): string =>
  text
    .replaceAll("|", "\\|")
    .replaceAll(/\s*\n\s*/g, " ")
    .trim();

/** Words that are no Markdown but for their code, such as a description with `<name>` in it. Pure. */
export const plain = (text: string): string =>
  text
    .split(/(`[^`]*`)/)
    .map((part) =>
      part.startsWith("`")
        ? part
        : part.replaceAll(/[<>*_]/g, (character) => `\\${character}`),
    )
    .join("");

export const code = (text: string): string => `\`${text}\``;

/** A table without the columns that are empty in every row. Pure. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const kept = head
    .map((_, index) => index)
    .filter((index) => rows.some((row) => (row[index] ?? "") !== ""));
  const line = (cells: readonly string[]): string =>
    `| ${kept.map((index) => cell(cells[index] ?? "")).join(" | ")} |`;
  return [
    line(head),
    `| ${kept.map(() => "---").join(" | ")} |`,
    ...rows.map(line),
  ].join("\n");
}
