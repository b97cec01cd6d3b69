import type { Devcontainer } from "../devcontainer/model.ts";

/** `publisher.name`, and a version where a file insists on one. */
const extensionId = /^[a-z0-9][a-z0-9-]*\.[a-z0-9][a-z0-9-]*(@[a-z0-9.+-]+)?$/i;

/**
 * The extensions that a file wants in the guest, each once, in order. `-publisher.name` takes one out that something
 * before it put in. `wrong` is whatever is no id: it is not passed on to an editor, which would take a path or an address
 * for something to install. Pure.
 */
export function extensionsOf(file: Pick<Devcontainer, "customizations">): {
  readonly install: string[];
  readonly wrong: string[];
} {
  const install = new Map<string, string>();
  const wrong: string[] = [];
  for (const wish of file.customizations?.vscode?.extensions ?? []) {
    const id = wish.replace(/^-/, "");
    const key = id.replace(/@.*$/s, "").toLowerCase();
    if (!extensionId.test(id)) wrong.push(wish);
    else if (id === wish) install.set(key, id);
    else install.delete(key);
  }
  return { install: [...install.values()], wrong };
}
