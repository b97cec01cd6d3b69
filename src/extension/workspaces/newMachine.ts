import { basename } from "node:path";
import { l10n } from "vscode";
import type { CommandsOf } from "../window/commandIds.ts";
import { about } from "../failures/about.ts";
import type { Call, OnNotice } from "../helper/connection.ts";
import { makeMachine } from "../machines/create.ts";
import { formOf } from "../machines/createForm.ts";
import type { MakeReady } from "../machines/ready.ts";
import { type Report, withCancellableProgress } from "../window/progress.ts";
import { bytesText } from "../rows/quantities.ts";
import type { Settings } from "../window/settings.ts";
import type { OpenMachine } from "../ssh/open.ts";
import { localFolder } from "./folders.ts";

/** *Open Folder in a New VM*: a clone, a boot, the folder copied in, a window. */
export function newMachineCommands(deps: {
  readonly call: Call;
  readonly onNotice: OnNotice;
  readonly settings: () => Settings;
  readonly makeReady: MakeReady;
  readonly open: OpenMachine;
}): CommandsOf<"guesthouse.openFolderInNewMachine"> {
  const { call, onNotice, settings, makeReady, open } = deps;

  const copyIn = async (
    machine: string,
    folder: string,
    report: Report,
    signal: AbortSignal,
  ): Promise<void> => {
    report(l10n.t("copying the folder"));
    const stopListening = onNotice("copying.progress", (copied) => {
      if (copied.machine === machine)
        report(
          l10n.t(
            "copying the folder · {0} files · {1}",
            copied.files,
            bytesText(copied.bytes),
          ),
        );
    });
    try {
      await call("copying.folder", { machine, folder }, signal);
    } finally {
      stopListening();
    }
  };

  return {
    async "guesthouse.openFolderInNewMachine"(clicked) {
      const folder = await localFolder(clicked, {
        title: l10n.t("Folder to open in a new VM"),
        openLabel: l10n.t("Open in a New VM"),
      });
      if (folder === undefined) return;
      const title = l10n.t("Opening {0} in a new VM", basename(folder));
      const machine = await withCancellableProgress(
        title,
        async (report, signal) => {
          report(l10n.t("cloning the image"));
          const form = formOf(settings());
          const { id } = await makeMachine(call, form, signal);
          await makeReady(id, report, signal);
          return about({ kind: "machine", id }, async () => {
            await copyIn(id, folder, report, signal);
            return (await call("machines.show", { machine: id }, signal))
              .machine;
          });
        },
      );
      await open(machine, { folder: "machine", openIn: settings().openIn });
    },
  };
}
