import { l10n } from "vscode";
import type { ImageCheck } from "../../protocol/images.ts";

export type Outcome = ImageCheck["outcome"];

/** What a check found, in the reports on images, this computer and guests. */
export function outcomeText(outcome: Outcome): string {
  switch (outcome) {
    case "ok":
      return `✓ ${l10n.t("good")}`;
    case "warning":
      return `⚠ ${l10n.t("warning")}`;
    case "error":
      return `✗ ${l10n.t("problem")}`;
    case "notApplicable":
      return `– ${l10n.t("not needed")}`;
  }
}
