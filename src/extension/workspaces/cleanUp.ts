import { l10n, type QuickPickItem, window } from "vscode";
import type { Leftover } from "../../protocol/workspaces.ts";
import type { CommandsOf } from "../window/commandIds.ts";
import type { Call } from "../helper/connection.ts";
import { deleteMachine } from "../machines/deleteMachine.ts";
import { withCancellableProgress } from "../window/progress.ts";
import { bytesText, usedText } from "../rows/quantities.ts";
import { bringBackWork } from "../machines/bringBack.ts";

/** *Clean Up*: workspaces whose folder or VM is gone, and VMs that nobody used for long. */
export function cleanUpCommands(call: Call): CommandsOf<"guesthouse.cleanUp"> {
  return {
    async "guesthouse.cleanUp"() {
      const { leftovers } = await withCancellableProgress(
        l10n.t("Looking for what is left over"),
        (_, signal) => call("workspaces.leftovers", {}, signal),
      );
      const items = leftovers.filter(({ why }) => why.length > 0).map(itemOf);
      if (items.length === 0) {
        window.setStatusBarMessage(
          l10n.t("Nothing to clean up: every folder and VM is in use."),
          4_000,
        );
        return;
      }
      const picked = await window.showQuickPick(items, {
        title: l10n.t("Clean Up"),
        placeHolder: l10n.t(
          "What is chosen is deleted with its VM; unsaved work is asked for",
        ),
        canPickMany: true,
      });
      if (picked === undefined || picked.length === 0) return;
      const button = l10n.t("Delete");
      const bytes = picked.reduce((sum, { of }) => sum + of.bytes, 0);
      const answer = await window.showWarningMessage(
        l10n.t("Delete {0}?", bytesText(bytes)),
        {
          modal: true,
          detail: picked
            .map(({ label, detail }) => `${label}: ${detail}`)
            .join("\n"),
        },
        button,
      );
      if (answer !== button) return;
      for (const { of } of picked) await takeAway(call, of);
    },
  };
}

/** Its machine goes first, with the question about work that is nowhere else; the user may keep it then. */
async function takeAway(
  call: Call,
  { kind, id, machine }: Leftover,
): Promise<void> {
  if (machine !== undefined) {
    const shown = await call("machines.show", { machine: machine.id });
    const isGone = await deleteMachine(call, shown.machine, (held) =>
      bringBackWork(call, held),
    );
    if (!isGone) return;
  }
  if (kind === "workspace") await call("workspaces.delete", { id });
}

type Item = QuickPickItem & { readonly detail: string; readonly of: Leftover };

/** What can be told from its row. Pure but for the language. */
export function itemOf(of: Leftover, now = Date.now()): Item {
  const whys: Readonly<Record<Leftover["why"][number], () => string>> = {
    folderGone: () => l10n.t("its folder is gone"),
    machineGone: () => l10n.t("it has no VM"),
    unused: () => l10n.t("not used for long"),
  };
  const used =
    of.lastUsedAt === undefined || of.running
      ? []
      : [usedText(of.lastUsedAt, now)];
  return {
    label: of.title,
    description: [bytesText(of.bytes), ...used].join(" · "),
    detail: [
      of.url ?? of.folder ?? l10n.t("a VM without a folder"),
      ...of.why.map((why) => whys[why]()),
    ].join(" · "),
    // An old VM may be loved; what points to nothing is not.
    picked: of.why.some((why) => why !== "unused") && !of.running,
    of,
  };
}
