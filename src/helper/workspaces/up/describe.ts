import { given } from "../../../base/given.ts";
import type { Result } from "../../../protocol/contract.ts";
import { commandText } from "../devcontainer/lifecycleCommands.ts";
import type { Configuration } from "../devcontainer/read.ts";
import { recommendedSecrets } from "../editor/secrets.ts";
import { workspaceId, type KnownWorkspaces } from "../known/knownWorkspaces.ts";

/** What a client is told of a configuration before it brings it up. Pure. */
export function describeConfiguration(
  configuration: Configuration,
  workspaces: Pick<KnownWorkspaces, "find" | "view">,
): Result<"workspaces.read"> {
  const { path, file } = configuration;
  const entry = workspaces.find(configuration);
  const files = file.customizations?.guesthouse?.files;
  return {
    id: workspaceId(configuration),
    ...given({ config: path }),
    digest: configuration.digest,
    warnings: [...configuration.warnings],
    localVariables: [...configuration.localVariables],
    secrets: recommendedSecrets(file),
    ...(file.initializeCommand === undefined
      ? {}
      : { initializeCommand: commandText(file.initializeCommand) }),
    ...given({ files }),
    ...(entry === undefined ? {} : { workspace: workspaces.view(entry) }),
  };
}
