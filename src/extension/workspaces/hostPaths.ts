import { l10n, window } from "vscode";
import type { CameUp } from "../../protocol/workspaces.ts";
import type { Consents } from "./consent.ts";

/** What stands in for paths of this computer that a container wants to see. */
export type HostPathsWish = "refuse" | "empty" | "copy";

const hasCode = (error: unknown, code: string): error is Error =>
  error instanceof Error &&
  (error as { failure?: { code?: string } }).failure?.code === code;

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
    if (!hasCode(error, "workspaces.hostPaths")) throw error;
    const empty = l10n.t("Use Empty Folders");
    const copy = l10n.t("Copy Once");
    const answer = await window.showWarningMessage(
      error.message,
      {
        modal: true,
        detail: l10n.t(
          "A VM doesn't see this computer's files. They can be copied into the VM once, or the container gets empty folders in their place.",
        ),
      },
      empty,
      ...(seesHost ? [copy] : []),
    );
    if (answer === undefined) return undefined;
    const wish = answer === copy ? "copy" : "empty";
    if (!seesHost) await consents.give(emptyKey);
    return up(wish);
  }
}
