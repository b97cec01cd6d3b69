import { refused } from "../../../protocol/failure.ts";
import { guestOps } from "../guest/systems.ts";
import type {
  WorkspaceEntry,
  KnownWorkspaces,
} from "../known/knownWorkspaces.ts";
import type { MachineVerbs } from "../known/machineVerbs.ts";

/** Starts the workspace's machine; answers with the command line that runs `command` in the workspace. */
export async function commandLineFor(
  entry: WorkspaceEntry,
  command: readonly string[],
  {
    workspaces,
    machines,
  }: {
    readonly workspaces: Pick<KnownWorkspaces, "machineOf">;
    readonly machines: Pick<MachineVerbs, "start">;
  },
  signal: AbortSignal,
): Promise<{ alias: string; remoteCommand: string }> {
  const machine = workspaces.machineOf(entry);
  const { made } = entry.record;
  if (machine === undefined || made === undefined)
    throw refused(
      "workspaces.unknown",
      `The VM of ${entry.record.folder} is not there.`,
      { remedy: "Run `guesthouse up` first." },
    );
  await machines.start(machine.id, signal);
  const { remoteCommand } = guestOps[machine.os];
  return {
    alias: machine.alias,
    remoteCommand: remoteCommand(made.workspaceFolder, command),
  };
}
