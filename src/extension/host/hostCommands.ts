import { commands, l10n, window } from "vscode";
import type { DoctorReport } from "../../protocol/host.ts";
import type { CommandsOf } from "../window/commandIds.ts";
import type { ShowMarkdown } from "../window/documents.ts";
import type { Call } from "../helper/connection.ts";
import { withCancellableProgress } from "../window/progress.ts";
import { runInTerminal } from "../window/terminals.ts";
import { doctorMarkdown } from "./report.ts";

/** Tells the welcome view whether tools are missing. */
export async function noteHealth(report: DoctorReport): Promise<void> {
  await commands.executeCommand(
    "setContext",
    "guesthouse.host",
    report.healthy
      ? "ready"
      : report.installCommand === undefined
        ? "broken"
        : "toolsMissing",
  );
}

export function hostCommands(
  call: Call,
  showMarkdown: ShowMarkdown,
): CommandsOf<"guesthouse.doctor" | "guesthouse.installTools"> {
  const examine = async (): Promise<DoctorReport> => {
    const { report } = await withCancellableProgress(
      l10n.t("Checking this computer"),
      (_, signal) => call("host.doctor", { retry: true }, signal),
    );
    await noteHealth(report);
    return report;
  };
  const install = async (report: DoctorReport): Promise<void> => {
    const command = report.installCommand;
    if (command === undefined) {
      await showMarkdown(l10n.t("Host check"), doctorMarkdown(report));
      return;
    }
    const button = l10n.t("Install");
    const answer = await window.showInformationMessage(
      l10n.t("Install the missing tools?"),
      {
        modal: true,
        detail: l10n.t(
          "This command runs in a terminal, which may ask for your password:\n\n{0}",
          command.join(" "),
        ),
      },
      button,
    );
    if (answer !== button) return;
    await runInTerminal(l10n.t("Guesthouse: install tools"), command);
    await showMarkdown(l10n.t("Host check"), doctorMarkdown(await examine()));
  };
  return {
    async "guesthouse.doctor"() {
      const report = await examine();
      await showMarkdown(l10n.t("Host check"), doctorMarkdown(report));
      if (report.installCommand === undefined) return;
      const button = l10n.t("Install Tools…");
      const text = l10n.t("Tools that VMs need are missing on this computer.");
      // Not awaited: the check is done, whenever the question is answered.
      void window.showWarningMessage(text, button).then((answer) => {
        if (answer === button)
          void commands.executeCommand("guesthouse.installTools");
      });
    },
    async "guesthouse.installTools"() {
      await install(await examine());
    },
  };
}
