import { l10n, window } from "vscode";
import { canShareFrom, type FilesWay } from "../../protocol/filesWays.ts";
import type { CameUp } from "../../protocol/workspaces.ts";
import { failureOf } from "../failures/present.ts";
import type { Consents } from "./consent.ts";

/** What stands in for paths of this computer that a container wants to see. */
export type HostPathsWish = "refuse" | "empty" | FilesWay;

/**
 * Brings up a file whose container may want to see paths of this computer: the user decides once for these paths, which the
 * helper remembers. A file that isn't trusted gets empty folders at most, and none of what was decided for a trusted one.
 * Undefined when the user leaves.
 */
export async function withHostPaths(
  up: (wish?: HostPathsWish) => Promise<CameUp>,
  consents: Consents,
  { digest, seesHost }: { readonly digest: string; readonly seesHost: boolean },
): Promise<CameUp | undefined> {
  const emptyKey = `hostPaths:empty:${digest}`;
  try {
    return await up(
      seesHost ? undefined : consents.given(emptyKey) ? "empty" : "refuse",
    );
  } catch (error) {
    const { code, message } = await failureOf(error);
    if (code !== "workspaces.hostPaths") throw error;
    const canShare = canShareFrom(process.platform);
    const choices: (readonly [string, HostPathsWish])[] = [
      [l10n.t("Copy Once"), "copy"],
      [l10n.t("Share Read-Only"), "share-readonly"],
      [l10n.t("Share"), "share"],
      [l10n.t("Use Empty Folders"), "empty"],
    ];
    const offered = choices.filter(
      ([, wish]) =>
        wish === "empty" || (seesHost && (canShare || wish === "copy")),
    );
    const answer = await window.showWarningMessage(
      message,
      {
        modal: true,
        detail: seesHost
          ? l10n.t(
              "A VM doesn't see this computer's files. They can be copied into the VM once, or shared with it; with Share, programs in the container can change them here. Or the container gets empty folders in their place.",
            )
          : l10n.t(
              "A VM doesn't see this computer's files. The container gets empty folders in their place, as this folder isn't trusted.",
            ),
      },
      ...offered.map(([title]) => title),
    );
    const wish = offered.find(([title]) => title === answer)?.[1];
    if (wish === undefined) return undefined;
    if (!seesHost) await consents.give(emptyKey);
    return up(wish);
  }
}
