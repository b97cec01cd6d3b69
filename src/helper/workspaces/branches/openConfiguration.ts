import { given } from "../../../base/given.ts";
import type { Config } from "../../../protocol/workspaces.ts";
import { type Configuration, readConfiguration } from "../devcontainer/read.ts";
import { findConfigs } from "../../../base/devcontainerFiles.ts";
import { kindOf } from "../devcontainer/image.ts";
import { openBranch } from "./branchTree.ts";
import { soundRepository } from "../git/soundRepository.ts";

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
    let read = await readConfiguration(tree.folder, config);
    if (read.file.dockerComposeFile !== undefined) {
      // They may lie anywhere in the branch.
      await tree.complete(signal);
      read = await readConfiguration(tree.folder, config);
    }
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

/** The configurations that a folder has, or a branch of it; `known` are the names of images for VMs. */
export async function configsIn(
  { folder, branch }: Place,
  { scratch, known }: { scratch: string; known: readonly string[] },
  signal?: AbortSignal,
): Promise<Config[]> {
  if (branch === undefined) return configsOf(folder, known);
  const repository = await soundRepository(folder);
  await using tree = await openBranch(repository, branch, scratch, signal);
  return await configsOf(tree.folder, known);
}

const configsOf = async (
  folder: string,
  known: readonly string[],
): Promise<Config[]> =>
  Promise.all(
    (await findConfigs(folder)).map(async (path) => {
      // One that can't be read is refused, with the reason, once it is chosen.
      const read = await readConfiguration(folder, path).catch(() => undefined);
      if (read === undefined) return { path };
      const { name } = read.file;
      return { path, ...given({ name }), ...kindOf(read.file, known) };
    }),
  );
