import { visible } from "../../../base/visible.ts";
import { refused } from "../../../protocol/failure.ts";
import type { Clones } from "../branches/clones.ts";
import type {
  WorkspaceEntry,
  KnownWorkspaces,
} from "../known/knownWorkspaces.ts";
import type { MachineVerbs } from "../known/machineVerbs.ts";
import type { UnderWay } from "../known/underWay.ts";
import { isShared } from "./leftovers.ts";

export interface RemoveMachineDeps {
  readonly workspaces: Pick<KnownWorkspaces, "machineOf" | "rewrite">;
  readonly machines: Pick<MachineVerbs, "remove">;
}

/**
 * Deletes the workspace's machine, if it is there still; with `discard` even one that holds work that is nowhere else. The
 * name and alias stay with the workspace. The caller holds the workspace's lock.
 */
export async function removeMachine(
  entry: WorkspaceEntry,
  discard: boolean,
  { workspaces, machines }: RemoveMachineDeps,
  signal: AbortSignal,
): Promise<void> {
  const machine = workspaces.machineOf(entry);
  if (machine !== undefined)
    await machines.remove(machine.id, { discard }, signal);
  await workspaces.rewrite(entry, { made: undefined, failed: undefined });
}

export interface RemoveDeps extends RemoveMachineDeps {
  readonly workspaces: KnownWorkspaces;
  readonly clones: Clones;
  readonly underWay: UnderWay;
}

/** Forgets a workspace with its machine and, where it is the last of a clone, the clone. Refuses as the contract says. */
export async function removeWorkspace(
  id: string,
  discard: boolean,
  deps: RemoveDeps,
  signal: AbortSignal,
): Promise<void> {
  const { workspaces, clones, underWay } = deps;
  const entry = workspaces.get(id);
  if (entry === undefined)
    throw refused("workspaces.unknown", `There is no workspace ${id}.`, {
      remedy: "guesthouse workspace list shows them.",
    });
  if (!discard) await demandPushed(entry, deps, signal);
  underWay.end(id);
  await workspaces.locks.run(id, async () => {
    await removeMachine(entry, discard, deps, signal);
    const clone = await clones.ofFolder(entry.record.folder);
    if (clone !== undefined && !isShared(entry, workspaces))
      await clones.remove(clone);
    await workspaces.forget(entry);
  });
}

/** Refuses where the last workspace of a clone would take commits with it. */
async function demandPushed(
  entry: WorkspaceEntry,
  { workspaces, clones }: Pick<RemoveDeps, "workspaces" | "clones">,
  signal: AbortSignal,
): Promise<void> {
  const clone = await clones.ofFolder(entry.record.folder);
  if (clone === undefined || isShared(entry, workspaces)) return;
  const branches = await clones.unpushed(clone, signal);
  if (branches.length > 0)
    throw refused(
      "machines.unsavedWork",
      `The clone of ${visible(clone.url)} has commits that nobody else has, on ${visible(branches.join(", "))}.`,
      {
        remedy: `Push them from ${clone.folder}, or delete the workspace with --discard.`,
      },
    );
}
