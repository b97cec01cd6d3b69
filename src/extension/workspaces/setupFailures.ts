import { commands, env, l10n, Uri, window } from "vscode";
import type { Workspace } from "../../protocol/devcontainers.ts";
import { presentFailure } from "../failures/present.ts";
import type { Records } from "../records.ts";
import { currentWorkspace, placeKey } from "./folders.ts";

/**
 * Tells in a window that is open in a folder's VM when a command of the folder's setup failed: the window opens at the
 * file's `waitFor`, and what comes later fails without anybody waiting. *Try Again* goes on at that command. Tells too
 * what didn't stop the setup, and offers a rebuild where only that takes up what the file says now.
 */
export function tellFailedSetup(workspaces: Records<Workspace>): () => void {
  const told = new Set<string>();
  let toldMishap: string | undefined;
  let toldOutdated: string | undefined;
  return workspaces.onDidChange(({ changed }) => {
    // Where the folder is open on this computer, whoever asked for its VM is told by the command.
    if (env.remoteName !== "ssh-remote") return;
    const here = currentWorkspace(workspaces);
    if (here === undefined || !changed.includes(here)) return;
    const { state, folder, branch, revision, mishap, outdated } = here;
    if (outdated !== toldOutdated && state.kind === "ready") {
      toldOutdated = outdated;
      if (outdated !== undefined) void offerRebuild(outdated);
    }
    if (mishap === undefined) toldMishap = undefined;
    else if (mishap !== toldMishap && state.kind === "ready") {
      toldMishap = mishap;
      void tellMishap(mishap, placeKey(here));
    }
    if (state.kind !== "failed" || told.has(String(revision))) return;
    told.add(String(revision));
    void presentFailure(
      state.failure,
      { kind: "workspace", id: placeKey(here) },
      async () => {
        await (branch === undefined
          ? commands.executeCommand(
              "guesthouse.openFolderInMachine",
              Uri.file(folder),
            )
          : commands.executeCommand("guesthouse.openBranchInMachine", {
              folder,
              branch,
            }));
      },
    );
  });
}

async function offerRebuild(outdated: string): Promise<void> {
  const rebuild = l10n.t("Rebuild VM…");
  if ((await window.showInformationMessage(outdated, rebuild)) === rebuild)
    await commands.executeCommand("guesthouse.rebuildMachine");
}

async function tellMishap(mishap: string, place: string): Promise<void> {
  const show = l10n.t("Show Log");
  if ((await window.showWarningMessage(mishap, show)) === show)
    await commands.executeCommand("guesthouse.showWorkspaceLog", place);
}
