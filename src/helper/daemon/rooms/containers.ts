/* What runs in the VMs of dev containers: answers about it, and the containers that come back after a boot of their VM. */
import type { HandlersOf } from "../../../protocol/contract.ts";
import type { containerMethods } from "../../../protocol/containers.ts";
import { vmAliasOf } from "../../../protocol/vmAlias.ts";
import type { GuestAccess } from "../../ssh/guestAccess.ts";
import { ContainerBoots } from "../../workspaces/container/boots.ts";
import {
  type EngineProgram,
  engineProgramIn,
} from "../../workspaces/container/engine.ts";
import { containerHandlers } from "../../workspaces/container/handlers.ts";
import type { Shares } from "../../workspaces/share/shares.ts";
import type { KnownWorkspaces } from "../../workspaces/known/knownWorkspaces.ts";
import { type RoomOptions, resourcesFolder } from "./options.ts";
import type { Roster } from "./roster.ts";

export interface ContainerRoom {
  readonly program: EngineProgram;
  readonly boots: ContainerBoots;
  readonly handlers: HandlersOf<keyof typeof containerMethods>;
}

export function containerRoom(
  { log }: RoomOptions,
  known: KnownWorkspaces,
  { registry, changed }: Roster,
  { reach, shares }: { readonly reach: GuestAccess; readonly shares: Shares },
): ContainerRoom {
  const deps = {
    program: engineProgramIn(resourcesFolder),
    reach,
    devContainer: (machine: string) =>
      known.ofMachine(machine)?.record.made?.container?.id,
    log,
  };
  const boots = new ContainerBoots({
    ...deps,
    mounts: async (machine, signal) => {
      await shares.ensure(machine, signal);
      return shares.targetsOf(machine);
    },
  });
  changed.on((machine) => boots.changed(machine));
  for (const entry of registry.entries()) boots.changed(registry.view(entry));
  return {
    program: deps.program,
    boots,
    handlers: containerHandlers({
      ...deps,
      machine: (name) => registry.view(registry.find(name)),
    }),
  };
}

/** The same access to a guest, which waits for a dev container that comes back after its VM's boot. */
export const afterContainer = (
  reach: GuestAccess,
  boots: ContainerBoots,
): GuestAccess => ({
  ...reach,
  prepare: async (machine, signal) => {
    const where = await reach.prepare(machine, signal);
    const { id, alias } = await reach.find(machine);
    if (machine !== vmAliasOf(alias)) await boots.settled(id, signal);
    return where;
  },
});
