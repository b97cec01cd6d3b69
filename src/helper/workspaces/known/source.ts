import { join, relative } from "node:path";
import type { Configuration } from "../devcontainer/read.ts";

/** Where on the host the files lie that the plan takes from `source`, a folder in the workspace's. Pure. */
export const sourceIn = (
  { folder, tree }: Configuration,
  source: string,
): string =>
  tree === undefined ? source : join(tree.folder, relative(folder, source));

/** The folder of the host in which a workspace's files are, a branch's laid out first. */
export async function filesOf(
  { folder, tree }: Pick<Configuration, "folder" | "tree">,
  signal?: AbortSignal,
): Promise<string> {
  await tree?.complete(signal);
  return tree?.folder ?? folder;
}

/** Which folder of the host takes the work back: what a branch has, the folder itself may not have now. Pure. */
export const bringBackTo = (
  { folder, branch }: Configuration,
  source: string,
): { readonly local: string; readonly branch?: string } =>
  branch === undefined ? { local: source } : { local: folder, branch };
