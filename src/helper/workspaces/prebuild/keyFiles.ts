import { isMissing } from "../../../base/files.ts";
import { fileDigest } from "../../net/checksums.ts";
import { insideFolder } from "../devcontainer/find.ts";
import type { Configuration } from "../devcontainer/read.ts";
import { filesOf } from "../known/source.ts";
import type { Plan } from "../up/plan.ts";
import { type KeyFile, type PrebuildKeys, prebuildKeys } from "./key.ts";

/** The keys of what a plan would make of this base image and these features. Refuses as `readKeyFiles` does. */
export async function keysOfPlan(
  configuration: Configuration,
  plan: Plan,
  {
    featuresKey,
    digest,
    architecture,
  }: {
    readonly featuresKey: string;
    readonly digest: string | undefined;
    readonly architecture: string;
  },
): Promise<PrebuildKeys> {
  const { file } = configuration;
  return prebuildKeys({
    base: { name: plan.image, digest, architecture },
    user: plan.user,
    target: plan.placing.target,
    workspaceFolder: plan.placing.workspaceFolder,
    featuresKey,
    file: plan.file,
    remoteEnv: file.remoteEnv,
    keyFiles: await readKeyFiles(
      await filesOf(configuration),
      file.customizations?.guesthouse?.prebuildFiles ?? [],
    ),
  });
}

/**
 * The files that the user wants in the key, with the digests of their contents. Refuses with `workspaces.outsideFolder`
 * what leads out of the folder.
 */
export async function readKeyFiles(
  folder: string,
  paths: readonly string[],
): Promise<KeyFile[]> {
  return Promise.all(
    paths.map(async (path) => {
      try {
        const real = await insideFolder(folder, path);
        return { path, sha256: await fileDigest(real, "sha256") };
      } catch (error) {
        if (isMissing(error)) return { path, sha256: null };
        throw error;
      }
    }),
  );
}
