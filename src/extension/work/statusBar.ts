import { l10n, StatusBarAlignment, window } from "vscode";
import { type Job, statusText } from "./jobs.ts";

/** The status bar item for background work; there only while something goes on. */
export function createStatusBar(
  jobs: () => readonly Job[],
  onDidChange: readonly ((listener: () => void) => () => void)[],
): { dispose(): void } {
  const item = window.createStatusBarItem(
    "guesthouse.work",
    StatusBarAlignment.Left,
    20,
  );
  item.name = l10n.t("Guesthouse: work in the background");
  item.command = "guesthouse.showWork";
  const draw = (): void => {
    const now = jobs();
    const text = statusText(now);
    if (text === undefined) {
      item.hide();
      return;
    }
    item.text = text;
    item.tooltip = now.map(({ name, text }) => `${name}: ${text}`).join("\n");
    item.show();
  };
  const stops = onDidChange.map((on) => on(draw));
  return {
    dispose() {
      for (const stop of stops) stop();
      item.dispose();
    },
  };
}
