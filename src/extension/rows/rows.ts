import {
  MarkdownString,
  ThemeColor,
  ThemeIcon,
  TreeItem,
  TreeItemCollapsibleState,
} from "vscode";

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

/** What is below a row: rows that are out of sight at first, or rows that nobody shall have to look for. */
export type Below = "nothing" | "folded" | "unfolded";

export function treeItemOf(
  id: string,
  row: Row,
  below: Below = "nothing",
): TreeItem {
  const item = new TreeItem(row.label, collapsibleStateOf(below));
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

function collapsibleStateOf(below: Below): TreeItemCollapsibleState {
  switch (below) {
    case "nothing":
      return TreeItemCollapsibleState.None;
    case "folded":
      return TreeItemCollapsibleState.Collapsed;
    case "unfolded":
      return TreeItemCollapsibleState.Expanded;
  }
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
