import { visible } from "../../../base/visible.ts";
import type { Devcontainer } from "../devcontainer/model.ts";
import type { ConfigWarning } from "../devcontainer/review.ts";
import { extensionsOf } from "./extensions.ts";
import { settingsOf } from "./settings.ts";

/** What a file says for the editor and is not done. Pure. */
export function editorWarnings(file: Devcontainer): ConfigWarning[] {
  return [
    ...settingsOf(file, {}).refused.map((name) => ({
      property: "customizations.vscode.settings",
      message: `customizations.vscode.settings: ${visible(name)} can't be set by a folder; it concerns your computer.`,
    })),
    ...extensionsOf(file).wrong.map((wish) => ({
      property: "customizations.vscode.extensions",
      message: `customizations.vscode.extensions: ${visible(wish)} is no extension's id; it is not installed.`,
    })),
  ];
}
