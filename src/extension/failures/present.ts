import { commands, window } from "vscode";
import type { Failure } from "../../protocol/failure.ts";
import { noticeOf, type Remedy, type Subject } from "./remedies.ts";

/** Loaded with the first failure: it brings the schemas along. */
export async function failureOf(error: unknown): Promise<Failure> {
  const { toFailure } = await import("../../protocol/failure.ts");
  return toFailure(error);
}

/** Texts that are on the screen now; the same failure is not told twice at once. */
const shown = new Set<string>();

/**
 * Tells a failure once, with its remedies as buttons; a cancelled one not at all. `again` is what *Try Again* does.
 */
export async function presentFailure(
  failure: Failure,
  subject: Subject | undefined,
  again: () => Promise<void>,
): Promise<void> {
  const notice = noticeOf(failure, subject);
  if (notice === undefined || shown.has(notice.text)) return;
  shown.add(notice.text);
  try {
    let { remedies } = notice;
    for (;;) {
      const titles = remedies.map(({ title }) => title);
      const pressed =
        notice.severity === "error"
          ? await window.showErrorMessage(notice.text, ...titles)
          : await window.showWarningMessage(notice.text, ...titles);
      const remedy = remedies.find(({ title }) => title === pressed);
      if (remedy === undefined) return;
      await apply(remedy, subject, again);
      // A notification goes with any of its buttons; who has read the log wants the others.
      remedies = remedies.filter((each) => each !== remedy);
      if (!onlyShowsLog(remedy) || remedies.length === 0) return;
    }
  } finally {
    shown.delete(notice.text);
  }
}

const onlyShowsLog = (remedy: Remedy): boolean =>
  remedy.kind === "command" && remedy.command === "guesthouse.showWorkspaceLog";

async function apply(
  remedy: Remedy,
  subject: Subject | undefined,
  again: () => Promise<void>,
): Promise<void> {
  switch (remedy.kind) {
    case "again":
      return again();
    case "command":
      await commands.executeCommand(remedy.command, subject?.id);
  }
}
