import { l10n } from "vscode";
import type { Failure, RemedyAction } from "../../protocol/failure.ts";
import type { CommandId } from "../window/commandIds.ts";

/** What a button does: runs a command on what failed, or the failed work again. */
export type Remedy =
  | {
      readonly kind: "command";
      readonly title: string;
      readonly command: CommandId;
    }
  | { readonly kind: "again"; readonly title: string };

/** The one table from a failure's actions to buttons. */
const remedies: Readonly<Record<RemedyAction, () => Remedy>> = {
  doctor: () => command(l10n.t("Check This Computer"), "guesthouse.doctor"),
  installTools: () =>
    command(l10n.t("Install Tools…"), "guesthouse.installTools"),
  showLog: () => command(l10n.t("Show Log"), "guesthouse.showBootLog"),
  showDiagnosis: () =>
    command(l10n.t("Show Diagnosis"), "guesthouse.showDiagnosis"),
  openConsole: () => command(l10n.t("Open Console"), "guesthouse.openConsole"),
  openVm: () =>
    command(l10n.t("Open the VM Instead"), "guesthouse.openVmOfFolder"),
  retry: () => ({ kind: "again", title: l10n.t("Try Again") }),
  bringBack: () => command(l10n.t("Bring Back"), "guesthouse.bringBackWork"),
  delete: () => command(l10n.t("Delete…"), "guesthouse.deleteMachine"),
  report: () => command(l10n.t("Report…"), "guesthouse.reportProblem"),
};

const command = (title: string, id: CommandId): Remedy => ({
  kind: "command",
  title,
  command: id,
});

/** What the failed work was about: its record's id, and which kind of record; of a workspace its folder. */
export interface Subject {
  readonly kind: "machine" | "image" | "workspace";
  readonly id: string;
}

/** What needs a machine to make sense. */
const needsMachine: ReadonlySet<RemedyAction> = new Set([
  "showDiagnosis",
  "openConsole",
  "bringBack",
  "delete",
]);

export interface Notice {
  readonly severity: "warning" | "error";
  readonly text: string;
  readonly remedies: readonly Remedy[];
}

/** What is shown for a failure; undefined for a cancelled one, which is silent. */
export function noticeOf(
  failure: Failure,
  subject: Subject | undefined,
): Notice | undefined {
  if (failure.kind === "cancelled") return undefined;
  const actions = new Set<RemedyAction>(failure.actions);
  if (failure.kind === "bug") actions.add("showLog").add("report");
  const shown = [...actions].filter(
    (action) => subject?.kind === "machine" || !needsMachine.has(action),
  );
  return {
    severity: failure.kind === "refused" ? "warning" : "error",
    text: textOf(failure),
    remedies: shown.map((action) => remedyFor(action, subject)),
  };
}

/** Machines and folders have logs of their own; every other log is the helper's. */
function remedyFor(action: RemedyAction, subject: Subject | undefined): Remedy {
  const remedy = remedies[action]();
  if (action !== "showLog" || subject?.kind === "machine") return remedy;
  return {
    ...remedy,
    kind: "command",
    command:
      subject?.kind === "workspace"
        ? "guesthouse.showWorkspaceLog"
        : "guesthouse.showHelperLog",
  };
}

/** The message and what mends it, as one text. */
export const textOf = (failure: Failure): string =>
  failure.remedy === undefined
    ? failure.message
    : `${failure.message} ${failure.remedy}`;
