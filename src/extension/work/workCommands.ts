import { l10n, type QuickPickItem, window } from "vscode";
import type { CommandsOf } from "../window/commandIds.ts";
import { about } from "../failures/about.ts";
import type { Subject } from "../failures/remedies.ts";
import type { Call } from "../helper/connection.ts";
import type { Job } from "./jobs.ts";

/** A template's failures are told as its image's. */
const subjectOf = ({ kind, id, name }: Job): Subject =>
  kind === "template" ? { kind: "image", id: name } : { kind, id };

/** Commands on what goes on in the background. */
export function workCommands(
  call: Call,
  jobs: () => readonly Job[],
): CommandsOf<"guesthouse.cancel" | "guesthouse.showWork"> {
  const pick = async (
    title: string,
    placeHolder: string,
    among: readonly Job[],
  ): Promise<Job | undefined> => {
    if (among.length === 0) {
      window.setStatusBarMessage(
        l10n.t("Nothing goes on in the background."),
        4_000,
      );
      return undefined;
    }
    const items = among.map((job): QuickPickItem & { job: Job } => ({
      label: job.name,
      description: job.text,
      job,
    }));
    return (await window.showQuickPick(items, { title, placeHolder }))?.job;
  };
  const cancel = (job: Job): Promise<void> =>
    about(subjectOf(job), async () => {
      if (job.kind === "image") await call("images.cancel", { name: job.id });
      // A boot that is cut off leaves a stopped machine with its log (B9).
      else if (job.kind === "machine")
        await call("machines.stop", { machine: job.id, force: true });
    });
  const cancellable = (): Job[] => jobs().filter(({ canCancel }) => canCancel);

  return {
    async "guesthouse.cancel"(id) {
      const job =
        typeof id === "string"
          ? jobs().find((each) => each.id === id)
          : await pick(
              l10n.t("Cancel"),
              l10n.t("Pick what to cancel"),
              cancellable(),
            );
      if (job !== undefined) await cancel(job);
    },
    async "guesthouse.showWork"() {
      const job = await pick(
        l10n.t("Work in the background"),
        l10n.t("Pick one to cancel it"),
        jobs(),
      );
      if (job?.canCancel === true) await cancel(job);
    },
  };
}
