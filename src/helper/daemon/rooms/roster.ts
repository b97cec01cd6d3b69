/*
 * The registry of machines and who is told of its changes. It comes first, since everything else asks it; rooms that
 * want to hear of a machine subscribe once they are there.
 */
import { createEmitter, type Emitter } from "../../../base/emitter.ts";
import type { NoticeParams } from "../../../protocol/contract.ts";
import type { Machine } from "../../../protocol/machines.ts";
import { MachineRegistry } from "../../machines/roster/registry.ts";
import type { RoomOptions } from "./options.ts";

export interface Roster {
  readonly registry: MachineRegistry;
  readonly changed: Pick<Emitter<Machine>, "on">;
  readonly removed: Pick<Emitter<NoticeParams<"machines.removed">>, "on">;
}

export function rosterRoom({ layout, tellAll }: RoomOptions): Roster {
  const changed = createEmitter<Machine>();
  const removed = createEmitter<NoticeParams<"machines.removed">>();
  changed.on((machine) => tellAll("machines.changed", { machine }));
  removed.on((gone) => tellAll("machines.removed", gone));
  const registry = new MachineRegistry(layout, {
    changed: changed.fire,
    removed: (id, name, revision) => removed.fire({ id, name, revision }),
  });
  return { registry, changed, removed };
}
