import { l10n, window } from "vscode";
import type { CommandsOf } from "../window/commandIds.ts";
import type { ShowMarkdown } from "../window/documents.ts";
import type { Call } from "../helper/connection.ts";
import { withCancellableProgress } from "../window/progress.ts";
import { bytesText } from "../rows/quantities.ts";
import { removalText, usageMarkdown } from "./report.ts";

/** Commands on the room that all of it takes on this computer's disk. */
export function storageCommands(
  call: Call,
  showMarkdown: ShowMarkdown,
): CommandsOf<"guesthouse.showDiskUsage" | "guesthouse.reclaimDiskSpace"> {
  return {
    async "guesthouse.showDiskUsage"() {
      const usage = await withCancellableProgress(
        l10n.t("Looking at the disk"),
        (_, signal) => call("storage.usage", {}, signal),
      );
      await showMarkdown(l10n.t("Disk usage"), usageMarkdown(usage));
    },

    async "guesthouse.reclaimDiskSpace"() {
      const { removed, freedBytes } = await withCancellableProgress(
        l10n.t("Looking for what can go"),
        (_, signal) => call("storage.reclaim", { dryRun: true }, signal),
      );
      if (removed.length === 0) {
        window.setStatusBarMessage(
          l10n.t("Nothing can be reclaimed: all of it is in use."),
          4_000,
        );
        return;
      }
      const button = l10n.t("Reclaim");
      const answer = await window.showWarningMessage(
        l10n.t("Reclaim {0}?", bytesText(freedBytes)),
        { modal: true, detail: removalText(removed) },
        button,
      );
      if (answer !== button) return;
      const done = await withCancellableProgress(
        l10n.t("Reclaiming disk space"),
        (_, signal) => call("storage.reclaim", {}, signal),
      );
      window.setStatusBarMessage(
        l10n.t("$(check) Reclaimed {0}", bytesText(done.freedBytes)),
        4_000,
      );
    },
  };
}
