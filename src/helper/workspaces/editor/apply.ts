import { isDeepStrictEqual } from "node:util";
import type { SshSession } from "../../ssh/session.ts";
import type { Devcontainer } from "../devcontainer/model.ts";
import type {
  WorkspaceEntry,
  KnownWorkspaces,
} from "../known/knownWorkspaces.ts";
import { extensionsOf } from "./extensions.ts";
import { setUpEditor } from "./install.ts";
import { settingsOf } from "./settings.ts";

const usualServerFolder = ".vscode-server";

/**
 * Brings what a file says for the editor into its VM: settings at once, extensions as a list for the editor that opens
 * there. Answers with sentences on what could not be done.
 */
export async function applyEditor(
  session: SshSession,
  where: {
    readonly workspaces: Pick<KnownWorkspaces, "rewrite">;
    readonly entry: WorkspaceEntry;
  },
  what: {
    readonly file: Devcontainer;
    readonly remoteEnv: Readonly<Record<string, string | null>>;
    readonly serverFolder: string | undefined;
    readonly marks: ReadonlyMap<string, string>;
  },
  signal: AbortSignal,
): Promise<string[]> {
  const { remoteEnv, serverFolder = usualServerFolder } = what;
  const { settings } = settingsOf(what.file, remoteEnv);
  const { install: extensions } = extensionsOf(what.file);
  const setup = { settings, remoteEnv, serverFolder };
  const failed = await setUpEditor(session, setup, what.marks, signal);
  const { made } = where.entry.record;
  if (
    made !== undefined &&
    !isDeepStrictEqual(made.extensions ?? [], extensions)
  )
    await where.workspaces.rewrite(where.entry, {
      made: { ...made, extensions },
    });
  return failed;
}
