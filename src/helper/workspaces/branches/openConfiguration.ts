import { type Configuration, readConfiguration } from "../devcontainer/read.ts";
import { findConfigs } from "../devcontainer/find.ts";
import { openBranch } from "./branchTree.ts";
import { soundRepository } from "./soundRepository.ts";

/** A folder of the host as it is, or as one of its branches has it. */
export interface Place {
  readonly folder: string;
  readonly config?: string | undefined;
  readonly branch?: string | undefined;
}

export interface OpenConfiguration {
  readonly configuration: Configuration;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Reads a folder's configuration, or a branch's, for which its files are laid out below `scratch` until this is
 * disposed of. Refuses as `readConfiguration`, `soundRepository` and `openBranch` do.
 */
export async function openConfiguration(
  { folder, config, branch }: Place,
  scratch: string,
  signal?: AbortSignal,
): Promise<OpenConfiguration> {
  if (branch === undefined) {
    const configuration = await readConfiguration(folder, config);
    return { configuration, [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  const repository = await soundRepository(folder);
  const tree = await openBranch(repository, branch, scratch, signal);
  try {
    const read = await readConfiguration(tree.folder, config);
    const configuration = { ...read, folder: repository.folder, branch, tree };
    return {
      configuration,
      [Symbol.asyncDispose]: () => tree[Symbol.asyncDispose](),
    };
  } catch (error) {
    await tree[Symbol.asyncDispose]();
    throw error;
  }
}

/** The configurations that a folder has, or a branch of it. */
export async function configsIn(
  { folder, branch }: Place,
  scratch: string,
  signal?: AbortSignal,
): Promise<string[]> {
  if (branch === undefined) return findConfigs(folder);
  const repository = await soundRepository(folder);
  await using tree = await openBranch(repository, branch, scratch, signal);
  return await findConfigs(tree.folder);
}
