import { l10n } from "vscode";
import type { Result } from "../../protocol/contract.ts";
import type { StorageItem } from "../../protocol/storage.ts";
import { escaped } from "../rows/markdown.ts";
import { bytesText } from "../rows/quantities.ts";

/** What lies on this computer's disk, as a page: the largest first. */
export function usageMarkdown({
  items,
  totalBytes,
  reclaimableBytes,
}: Result<"storage.usage">): string {
  const verdict = l10n.t(
    "Guesthouse takes {0}; {1} of it can be reclaimed.",
    bytesText(totalBytes),
    bytesText(reclaimableBytes),
  );
  const rows = items
    .toSorted((a, b) => b.bytes - a.bytes)
    .map(({ kind, title, bytes, reclaimable, reason }) =>
      [
        "",
        bytesText(bytes),
        kindText(kind),
        escaped(title),
        reclaimable ? `✓ ${l10n.t("can go")}` : `– ${l10n.t("stays")}`,
        escaped(reason),
        "",
      ]
        .join(" | ")
        .trim(),
    );
  const sections = [`# ${l10n.t("Disk usage")}`, `**${verdict}**`];
  if (rows.length > 0)
    sections.push(
      [
        `| ${[l10n.t("Size"), l10n.t("Kind"), l10n.t("What"), "", l10n.t("Why")].join(" | ")} |`,
        "|--:|---|---|---|---|",
        ...rows,
      ].join("\n"),
    );
  if (reclaimableBytes > 0)
    sections.push(
      l10n.t(
        "*Guesthouse: Reclaim Disk Space* removes what can go, and never what anything stands on.",
      ),
    );
  return `${sections.join("\n\n")}\n`;
}

export function kindText(kind: StorageItem["kind"]): string {
  switch (kind) {
    case "image":
      return l10n.t("image");
    case "template":
      return l10n.t("warm template");
    case "machine":
      return l10n.t("VM");
    case "checkpoint":
      return l10n.t("checkpoint");
    case "layer":
      return l10n.t("shared part of disks");
    case "log":
      return l10n.t("boot log");
    case "cache":
      return l10n.t("cache");
    case "leftover":
      return l10n.t("leftover");
  }
}

/** Lines that a dialog has room for. */
const maxLines = 12;

/** What would be removed, a line each, the largest first. */
export function removalText(removed: readonly StorageItem[]): string {
  const lines = removed
    .toSorted((a, b) => b.bytes - a.bytes)
    .map(
      ({ kind, title, bytes }) =>
        `${bytesText(bytes)} · ${kindText(kind)} · ${title}`,
    );
  const rest = lines.length - maxLines;
  return [
    ...lines.slice(0, maxLines),
    ...(rest > 0 ? [l10n.t("and {0} more", rest)] : []),
  ].join("\n");
}
