import { commands, env, Uri } from "vscode";
import type { Workspace } from "../../protocol/devcontainers.ts";
import { presentFailure } from "../failures/present.ts";
import type { Records } from "../records.ts";
import { currentWorkspace, placeKey } from "./folders.ts";

/**
 * Tells in a window that is open in a folder's VM when a command of the folder's setup failed: the window opens at the
 * file's `waitFor`, and what comes later fails without anybody waiting. *Try Again* goes on at that command.
 */
export function tellFailedSetup(workspaces: Records<Workspace>): () => void {
  const told = new Set<string>();
  return workspaces.onDidChange(({ changed }) => {
    // Where the folder is open on this computer, whoever asked for its VM is told by the command.
    if (env.remoteName !== "ssh-remote") return;
    const here = currentWorkspace(workspaces);
    if (here === undefined || !changed.includes(here)) return;
    const { state, folder, branch, revision } = here;
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
