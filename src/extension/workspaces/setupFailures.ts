import { commands, env, l10n, window } from "vscode";
import type { Workspace } from "../../protocol/workspaces.ts";
import { presentFailure } from "../failures/present.ts";
import type { Records } from "../helper/records.ts";
import { currentWorkspace, placeKey, placeOf } from "./folders.ts";

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
    const { state, branch, revision, mishap, outdated } = here;
    if (outdated !== toldOutdated && state.kind === "ready") {
      toldOutdated = outdated;
      if (outdated !== undefined) void offerRebuild(outdated, here.rebuild);
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
        await commands.executeCommand(
          branch === undefined
            ? "guesthouse.openFolderInMachine"
            : "guesthouse.openBranchInMachine",
          placeOf(here),
        );
      },
    );
  });
}

async function offerRebuild(
  outdated: string,
  what: Workspace["rebuild"],
): Promise<void> {
  const isContainer = what === "container";
  const rebuild = isContainer
    ? l10n.t("Rebuild Container")
    : l10n.t("Rebuild VM…");
  if ((await window.showInformationMessage(outdated, rebuild)) === rebuild)
    await commands.executeCommand(
      isContainer ? "guesthouse.rebuildContainer" : "guesthouse.rebuildMachine",
    );
}

async function tellMishap(mishap: string, place: string): Promise<void> {
  const show = l10n.t("Show Log");
  if ((await window.showWarningMessage(mishap, show)) === show)
    await commands.executeCommand("guesthouse.showWorkspaceLog", place);
}
