import type {
  WorkspaceEntry,
  KnownWorkspaces,
} from "../known/knownWorkspaces.ts";
import type { MachineVerbs } from "../known/machineVerbs.ts";
import type { UnderWay } from "../known/underWay.ts";
import { removeMachine } from "./remove.ts";

export interface DownDeps {
  readonly workspaces: KnownWorkspaces;
  readonly machines: Pick<MachineVerbs, "remove" | "stop">;
  readonly underWay: UnderWay;
}

/** Ends what is done to the workspace now, then stops its machine or deletes it. */
export async function bringDown(
  entry: WorkspaceEntry,
  how: { readonly delete: boolean; readonly discard: boolean },
  deps: DownDeps,
  signal: AbortSignal,
): Promise<void> {
  const { workspaces, machines, underWay } = deps;
  const { id } = entry.record;
  underWay.end(id);
  await workspaces.locks.run(id, async () => {
    const machine = workspaces.machineOf(entry);
    if (how.delete) await removeMachine(entry, how.discard, deps, signal);
    else if (machine !== undefined) await machines.stop(machine.id, signal);
  });
}
