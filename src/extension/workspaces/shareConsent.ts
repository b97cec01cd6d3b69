import { basename } from "node:path";
import { l10n, window } from "vscode";
import type { Result } from "../../protocol/contract.ts";
import { type FilesWay, opensMore } from "../../protocol/filesWays.ts";
import type { Consents } from "./consent.ts";

type Read = Pick<Result<"workspaces.read">, "files" | "digest" | "workspace">;

/**
 * Decides how the files of a folder come into a new VM, where the user's setting alone doesn't. A mount that only the
 * folder's file asks for is one that the user has seen and allowed; a folder that isn't trusted is copied. Undefined when
 * the user leaves.
 */
export async function askFiles(
  { files: asked, digest, workspace }: Read,
  folder: string,
  { isTrusted, usual }: { isTrusted: boolean; usual: FilesWay },
  consents: Consents,
): Promise<{ readonly files?: FilesWay } | undefined> {
  if (workspace?.machine !== undefined) return {};
  if (!isTrusted) return (asked ?? usual) === "copy" ? {} : { files: "copy" };
  if (asked === undefined || !opensMore(asked, usual)) return {};
  const key = `${asked}:${digest}`;
  if (consents.given(key)) return { files: asked };
  const share = l10n.t("Mount the Folder");
  const read = l10n.t("Mount Read-Only");
  const copy = l10n.t("Copy It");
  const answer = await window.showWarningMessage(
    l10n.t("{0} wants to be mounted in its VM.", basename(folder)),
    {
      modal: true,
      detail:
        asked === "share"
          ? l10n.t(
              "Programs in the VM can then read and change every file of the folder on this computer, those that git ignores and those in .git included: hooks and settings of git run here when you use git in the folder.",
            )
          : l10n.t(
              "Programs in the VM can then read every file of the folder on this computer, those that git ignores included.",
            ),
    },
    ...(asked === "share" ? [share] : []),
    read,
    copy,
  );
  if (answer === copy) return { files: "copy" };
  if (answer === read) {
    if (asked === "share-readonly") await consents.give(key);
    return { files: "share-readonly" };
  }
  if (answer !== share) return undefined;
  await consents.give(key);
  return { files: "share" };
}
