import { commands, env, l10n, type Memento, window, workspace } from "vscode";
import { findConfigs } from "../../base/devcontainerFiles.ts";

/*
 * Offers to reopen a folder in a VM, in a window that opens one with a devcontainer.json. It only looks whether the file is
 * there: nothing of the folder is read or run, and no helper is started. A folder for which the user said no is left alone,
 * and where Dev Containers is installed, which asks the same about containers, ours is shown once for each folder.
 */

/** Whether a folder of this computer has a devcontainer.json, at any of the three places. */
export const hasConfiguration = async (folder: string): Promise<boolean> =>
  (await findConfigs(folder)).length > 0;

export interface OfferDeps {
  readonly isWanted: () => boolean;
  readonly isTrusted: () => boolean;
  readonly onTrusted: (listener: () => void) => { dispose(): unknown };
  /** Whether Dev Containers is installed. */
  readonly isAskedByOthers: () => boolean;
  /** Of what is open in this window. */
  readonly memento: Memento;
}

/** `guesthouse.folder` is what `when` clauses see: `configured` in a window with such a folder. */
export function offerReopening(deps: OfferDeps): () => void {
  let offered = false;
  const look = async (): Promise<void> => {
    const [folder] = await configuredFolders();
    if (folder === undefined) return;
    void commands.executeCommand(
      "setContext",
      "guesthouse.folder",
      "configured",
    );
    if (offered || !deps.isTrusted() || !deps.isWanted()) return;
    offered = true;
    await offer(folder, deps);
  };
  const lookQuietly = (): void => void look().catch(() => undefined);
  lookQuietly();
  const trust = deps.onTrusted(lookQuietly);
  return () => void trust.dispose();
}

/** Folders of this computer that are open here; a window in a VM has none. */
async function configuredFolders(): Promise<string[]> {
  if (env.remoteName === "ssh-remote") return [];
  const found: string[] = [];
  for (const { uri } of workspace.workspaceFolders ?? [])
    if (uri.scheme === "file" && (await hasConfiguration(uri.fsPath)))
      found.push(uri.fsPath);
  return found;
}

type Answered = "shown" | "never";

async function offer(
  folder: string,
  { memento, isAskedByOthers }: OfferDeps,
): Promise<void> {
  const key = `guesthouse.offered:${folder}`;
  const before = memento.get<Answered>(key);
  if (before === "never" || (before === "shown" && isAskedByOthers())) return;
  await memento.update(key, "shown" satisfies Answered);
  const reopen = l10n.t("Reopen in VM");
  const never = l10n.t("Don't Show Again for This Folder");
  const answer = await window.showInformationMessage(
    l10n.t(
      "This folder has a devcontainer.json. Reopen it in a VM of its own?",
    ),
    reopen,
    never,
  );
  if (answer === never) await memento.update(key, "never" satisfies Answered);
  if (answer === reopen)
    await commands.executeCommand("guesthouse.reopenInMachine", { folder });
}
