import { visible } from "../../../base/visible.ts";
import type { Devcontainer } from "../devcontainer/model.ts";
import { extensionsOf } from "./extensions.ts";
import { type Setting, settingsOf } from "./settings.ts";

/** What a file says for the editor. */
export interface EditorPlan {
  readonly settings: readonly Setting[];
  readonly extensions: string[];
  /** Sentences on what of it is left out. */
  readonly notes: readonly string[];
}

/** Pure. */
export function planEditor(
  file: Devcontainer,
  remoteEnv: Readonly<Record<string, string | null>>,
): EditorPlan {
  const { settings, refused } = settingsOf(file, remoteEnv);
  const { install, wrong } = extensionsOf(file);
  return {
    settings,
    extensions: install,
    notes: [
      ...(refused.length === 0
        ? []
        : [
            `customizations.vscode.settings: ${visible(refused.join(", "))} can't be set by a folder; they concern your computer.`,
          ]),
      ...(wrong.length === 0
        ? []
        : [
            `customizations.vscode.extensions: ${visible(wrong.join(", "))} is no extension's id; it is not installed.`,
          ]),
    ],
  };
}
