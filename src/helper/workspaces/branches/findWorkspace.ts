import { realpath } from "node:fs/promises";
import { refused } from "../../../protocol/failure.ts";
import { readConfiguration } from "../devcontainer/read.ts";
import type {
  WorkspaceEntry,
  KnownWorkspaces,
} from "../known/knownWorkspaces.ts";
import type { Place } from "./openConfiguration.ts";

/**
 * The workspace of a folder, or of a branch, that was brought up before. A branch may be gone by now. Refuses with
 * `workspaces.unknown`, and as `readConfiguration` does.
 */
export async function findWorkspace(
  { folder, config, branch }: Place,
  workspaces: Pick<KnownWorkspaces, "find" | "findBranch">,
): Promise<WorkspaceEntry> {
  const entry =
    branch === undefined
      ? workspaces.find(await readConfiguration(folder, config))
      : workspaces.findBranch(await realFolder(folder), branch, config);
  if (entry !== undefined) return entry;
  throw refused(
    "workspaces.unknown",
    `${folder}${branch === undefined ? "" : `, branch ${branch},`} was not brought up yet.`,
    { remedy: "Run `guesthouse up` first." },
  );
}

/** As records have it; also of a folder that is gone. */
const realFolder = (folder: string): Promise<string> =>
  realpath(folder).catch(() => folder);
