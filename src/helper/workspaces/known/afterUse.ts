import type { WorkspaceRecord } from "../../store/workspaceRecords.ts";
import type { Devcontainer } from "../devcontainer/model.ts";

/**
 * What becomes of the VM once its last connection has ended. Without a word in the file it goes on: the specification's
 * own default stops containers, but a VM may serve others. Pure.
 */
export function afterUseOf({
  shutdownAction,
  customizations,
}: Pick<
  Devcontainer,
  "shutdownAction" | "customizations"
>): WorkspaceRecord["afterUse"] {
  if (customizations?.guesthouse?.ephemeral === true) return "delete";
  return shutdownAction === "stopContainer" || shutdownAction === "stopCompose"
    ? "stop"
    : undefined;
}
