import { commands, env, l10n, type Uri, window, workspace } from "vscode";
import type { Workspace } from "../../protocol/workspaces.ts";
import type { Records } from "../helper/records.ts";
import { currentWorkspace, placeOf } from "./folders.ts";
import { fileOf } from "./vmCommands.ts";

/*
 * Reacts to a devcontainer.json that is saved in a window in its VM. `up` reads the file on this computer: for that one the
 * window offers to apply it. For a copy in the VM it says once that `up` doesn't read it.
 */

export function offerSavedFile(workspaces: Records<Workspace>): () => void {
  let asking = false;
  let toldOfCopy = false;
  const saved = workspace.onDidSaveTextDocument(({ uri }) => {
    if (asking || env.remoteName !== "ssh-remote") return;
    const here = currentWorkspace(workspaces);
    if (here === undefined) return;
    const what = whatIs(uri, here);
    if (what === undefined || (what === "copy" && toldOfCopy)) return;
    toldOfCopy ||= what === "copy";
    asking = true;
    const answered = what === "copy" ? tellOfCopy(here) : offerToApply(here);
    void answered.finally(() => (asking = false));
  });
  return () => void saved.dispose();
}

/** The file that an `up` reads, a copy of it in the VM, or none of the two. */
function whatIs(uri: Uri, here: Workspace): "file" | "copy" | undefined {
  // That of a branch or a clone is read from its repository.
  if (here.branch !== undefined || here.url !== undefined) return undefined;
  if (uri.toString() === fileOf(here)?.toString()) return "file";
  const [folder] = workspace.workspaceFolders ?? [];
  if (folder === undefined || here.config === undefined) return undefined;
  if (uri.path !== `${folder.uri.path}/${here.config}`) return undefined;
  return here.files === "copy" ? "copy" : "file";
}

async function offerToApply(here: Workspace): Promise<void> {
  const apply = l10n.t("Apply");
  const answer = await window.showInformationMessage(
    l10n.t("{0} was changed. Apply it to the VM now?", here.config ?? ""),
    apply,
  );
  if (answer === apply)
    await commands.executeCommand(
      "guesthouse.openFolderInMachine",
      placeOf(here),
    );
}

async function tellOfCopy(here: Workspace): Promise<void> {
  const open = l10n.t("Open the File on This Computer");
  const bringBack = l10n.t("Bring Work Back…");
  const answer = await window.showInformationMessage(
    l10n.t(
      "This is the VM's copy of {0}. The VM is made and rebuilt from the file on this computer.",
      here.config ?? "",
    ),
    open,
    bringBack,
  );
  if (answer === open)
    await commands.executeCommand("guesthouse.openConfiguration");
  if (answer === bringBack)
    await commands.executeCommand("guesthouse.bringBackWork");
}
