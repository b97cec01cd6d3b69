import { basename } from "node:path";
import { l10n, window } from "vscode";
import type { PrebuildStage } from "../../protocol/prebuilds.ts";
import type { CommandsOf } from "../window/commandIds.ts";
import { withCancellableProgress } from "../window/progress.ts";
import { bytesText } from "../rows/quantities.ts";
import { stageText } from "../rows/workspace.ts";
import { chooseConfig } from "./chooseConfig.ts";
import { localFolder } from "./folders.ts";
import { askWhatToBringUp, type UpDeps } from "./up.ts";

/** An image of what a folder's VM is before anybody works in it. */
export function prebuildCommands(
  deps: UpDeps,
): CommandsOf<"guesthouse.prebuildFolder"> {
  const { call, onNotice } = deps;
  return {
    async "guesthouse.prebuildFolder"(clicked) {
      const folder = await localFolder(clicked, {
        title: l10n.t("Folder to prebuild a VM image for"),
        openLabel: l10n.t("Prebuild"),
      });
      if (folder === undefined) return;
      const place = await chooseConfig(call, { folder });
      if (place === undefined) return;
      const wished = await askWhatToBringUp(deps, place);
      if (wished === undefined) return;
      const { image, made } = await withCancellableProgress(
        l10n.t("Prebuilding a VM image for {0}", basename(folder)),
        async (report, signal) => {
          const stop = onNotice("prebuilds.progress", (told) => {
            if (told.folder !== folder) return;
            const text = textOf(told.stage);
            report(
              told.fraction === undefined
                ? text
                : `${text} · ${l10n.t("{0} %", Math.floor(told.fraction * 100))}`,
            );
          });
          try {
            return await call("prebuilds.make", wished.params, signal);
          } finally {
            stop();
          }
        },
      );
      const size = bytesText(image.sizeBytes ?? 0);
      void window.showInformationMessage(
        made
          ? l10n.t(
              "{0} is ready ({1}). New VMs of this folder begin with it.",
              image.name,
              size,
            )
          : l10n.t(
              "{0} is here already, of the same file and content.",
              image.name,
            ),
      );
    },
  };
}

function textOf(stage: PrebuildStage): string {
  switch (stage) {
    case "generalise":
      return l10n.t("making the VM forget who it is");
    case "keep":
      return l10n.t("packing the disk");
    default:
      return stageText(stage);
  }
}
