import { MarkdownString, ThemeColor, ThemeIcon, TreeItem } from "vscode";

/** What a row of a tree shows, free of the editor's classes. */
export interface Row {
  readonly label: string;
  readonly description: string;
  /** Codicon and theme colour; the words say the same. */
  readonly icon: string;
  readonly color?: string;
  /** Menus are gated by it. */
  readonly context: string;
  /** What a screen reader says. */
  readonly spoken: string;
}

export function treeItemOf(id: string, row: Row): TreeItem {
  const item = new TreeItem(row.label);
  item.id = id;
  item.description = row.description;
  item.iconPath = new ThemeIcon(
    row.icon,
    row.color === undefined ? undefined : new ThemeColor(row.color),
  );
  item.contextValue = row.context;
  item.accessibilityInformation = { label: row.spoken };
  return item;
}

/** Markdown with codicons and no commands: its words come from guests, too. */
export const tooltipOf = (text: string): MarkdownString =>
  new MarkdownString(text, true);

const collator = new Intl.Collator(undefined, { numeric: true });

/** Order of rows: `debian-12-2` before `debian-12-10`. */
export const byName = (
  a: { readonly name: string },
  b: { readonly name: string },
): number => collator.compare(a.name, b.name);
