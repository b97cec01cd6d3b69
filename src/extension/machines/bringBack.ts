import { l10n, window } from "vscode";
import type { Machine } from "../../protocol/machines.ts";
import type { CommandsOf } from "../window/commandIds.ts";
import { about } from "../failures/about.ts";
import type { Call } from "../helper/connection.ts";
import { type ChooseMachines, chooseOne } from "./choose.ts";
import { withCancellableProgress } from "../window/progress.ts";

/** *Bring Work Back*: commits out of a copied folder onto a branch of this computer's repository. */
export function bringBackCommands(
  call: Call,
  choose: ChooseMachines,
): CommandsOf<"guesthouse.bringBackWork"> {
  return {
    async "guesthouse.bringBackWork"(...args) {
      const machine = await chooseOne(choose, args, {
        title: l10n.t("Bring Work Back"),
        fits: ({ folder }) => folder !== undefined,
      });
      if (machine !== undefined) await bringBackWork(call, machine);
    },
  };
}

/**
 * Brings the work of a machine's folder back and tells where it is now. A folder without git gets the changed files
 * themselves, after a question. A stopped machine is started.
 */
export async function bringBackWork(
  call: Call,
  { id, name, folder }: Machine,
): Promise<void> {
  const bringBack = (way: Parameters<typeof call<"bringBack.run">>[1]["way"]) =>
    withCancellableProgress(
      l10n.t("Bringing back the work in {0}", name),
      async (_, signal) =>
        about(
          { kind: "machine", id },
          async () =>
            (await call("bringBack.run", { machine: id, way }, signal)).brought,
        ),
    );
  const brought = await bringBack({ kind: "branch" });
  switch (brought.kind) {
    case "nothing":
      tell(l10n.t("Nothing in {0} differs from what was copied in.", name));
      return;
    case "branch": {
      const moved = [brought, ...(brought.inner ?? [])].filter(
        ({ branches }) => branches.length > 0,
      );
      const names = moved.flatMap(({ branches }) =>
        branches.map(({ branch }) => branch),
      );
      if (moved.length > 0)
        tell(
          l10n.t(
            "The work in {0} is now on the branch {1} of {2}.",
            name,
            [...new Set(names)].join(", "),
            moved.map(({ repository }) => repository).join(", "),
          ),
        );
      for (const note of brought.notes ?? []) tell(note);
      if (brought.left !== undefined)
        void window.showWarningMessage(
          l10n.t(
            "Work in {0} stays in {1}: this computer has no repository in that place, or its branch can't be moved.",
            brought.left.join(", "),
            name,
          ),
        );
      return;
    }
    case "patch":
      return;
    case "files": {
      if (folder === undefined) return;
      const write = l10n.t("Write Files");
      const answer = await window.showWarningMessage(
        l10n.t(
          "Write {0} changed files over those in {1}?",
          brought.files.length,
          folder.local,
        ),
        {
          modal: true,
          detail: brought.files
            .slice(0, 20)
            .map((file) => file.name)
            .join("\n"),
        },
        write,
      );
      if (answer !== write) return;
      await bringBack({ kind: "files", folder: folder.local });
      tell(l10n.t("The work in {0} is now in {1}.", name, folder.local));
    }
  }
}

/** Nobody waits for this notification to be closed. */
function tell(text: string): void {
  void window.showInformationMessage(text);
}
