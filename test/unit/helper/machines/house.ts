import { mkdir } from "node:fs/promises";
import { scratch } from "../../../fakes/scratch.ts";
import type { Machine } from "../../../../src/protocol/machines.ts";
import { MachineRegistry } from "../../../../src/helper/machines/roster/registry.ts";
import { type Layout, layoutOf } from "../../../../src/helper/store/layout.ts";

export interface House {
  readonly layout: Layout;
  readonly registry: MachineRegistry;
  /** Every notice, in order: a machine's state, or that it was removed. */
  readonly told: string[];
  /** The machines as they were told. */
  readonly shown: Machine[];
}

/** A data folder of this test's own with a registry that knows no machine yet. `onTold` is called with each notice. */
export async function house(
  onTold?: (machine: Machine) => void,
): Promise<House> {
  const layout = layoutOf(await scratch());
  for (const folder of [layout.run, layout.logs, layout.machines])
    await mkdir(folder, { recursive: true });
  const told: string[] = [];
  const shown: Machine[] = [];
  const registry = new MachineRegistry(layout, {
    changed: (machine) => {
      told.push(machine.state.kind);
      shown.push(machine);
      onTold?.(machine);
    },
    removed: () => told.push("removed"),
  });
  return { layout, registry, told, shown };
}
