import type { Devcontainer } from "./model.ts";

/**
 * A file with `settings` and `extensions` where they belong now, below `customizations.vscode`. What stands there already
 * goes before a setting of the older place, and comes after its extensions, as in the reference implementation. Pure.
 */
export function withoutOlderNames(file: Devcontainer): Devcontainer {
  const { settings, extensions, ...rest } = file;
  if (settings === undefined && extensions === undefined) return file;
  const vscode = rest.customizations?.vscode;
  return {
    ...rest,
    customizations: {
      ...rest.customizations,
      vscode: {
        ...vscode,
        settings: { ...settings, ...vscode?.settings },
        extensions: [...(extensions ?? []), ...(vscode?.extensions ?? [])],
      },
    },
  };
}
