import { basename, posix } from "node:path";
import { l10n, type QuickPickItem, window } from "vscode";
import { given } from "../../base/given.ts";
import type { Config } from "../../protocol/workspaces.ts";
import type { Call } from "../helper/connection.ts";
import type { Place } from "./folders.ts";

/*
 * Which of a folder's configurations is meant. A place that names one is asked nothing, so that a window in a VM, and the
 * buttons of a failure, stay with theirs.
 */

/** The place with its only configuration, or with the one that the user picks; undefined when the user picks none. */
export async function chooseConfig<P extends Place>(
  call: Call,
  place: P,
): Promise<P | undefined> {
  const { folder, branch, config } = place;
  if (config !== undefined) return place;
  const { configs } = await call("workspaces.configs", {
    folder,
    ...given({ branch }),
  });
  const [only, second] = configs;
  if (second === undefined)
    return only === undefined ? place : { ...place, config: only.path };
  const picked = await window.showQuickPick(configs.map(configItem), {
    title: l10n.t("Open {0} in VM", basename(folder)),
    placeHolder: l10n.t("This folder has several configurations"),
    matchOnDescription: true,
    matchOnDetail: true,
  });
  return picked === undefined ? undefined : { ...place, config: picked.config };
}

/** How a configuration reads in a list: its own name, what it makes, and where it is. */
export function configItem({
  path,
  name,
  kind,
  of,
}: Config): QuickPickItem & { readonly config: string } {
  // `.devcontainer/rust/devcontainer.json` is known as `rust`; the usual places have no name of their own.
  const parts = path.split(posix.sep);
  const ofFolder = parts.length > 2 ? parts[1] : undefined;
  return {
    label: name ?? ofFolder ?? path,
    description: kindText(kind, of),
    detail: path,
    config: path,
  };
}

function kindText(kind: Config["kind"], of = ""): string {
  switch (kind) {
    case "image":
      return l10n.t("container image {0}", of);
    case "dockerfile":
      return of === "" || of === "Dockerfile"
        ? l10n.t("Dockerfile")
        : l10n.t("Dockerfile {0}", of);
    case "compose":
      return l10n.t("Compose");
    case "machine":
      return of === "" ? l10n.t("VM") : l10n.t("VM of {0}", of);
    case undefined:
      return l10n.t("can't be read");
  }
}
