import type { Machine } from "../../protocol/machines.ts";
import { byName } from "../rows/rows.ts";
import { newestFirst } from "../rows/checkpoint.ts";
import { checkpointKey } from "../rows/keys.ts";

/** What is where in the *Machines* tree. */
export interface Nesting {
  /** Elements at the top, or below a machine: its checkpoints, newest first, and after them its forks. */
  readonly below: (machine?: string) => readonly string[];
  readonly parentOf: (machine: string) => string | undefined;
  /** Changes when rows come, go or move, and not with what they say. */
  readonly structure: string;
}

const top = "";

/** A machine is shown below the one that it was forked or branched from, while that exists. */
export function nestingOf(machines: readonly Machine[]): Nesting {
  const ids = new Set(machines.map(({ id }) => id));
  const parents = new Map<string, string>();
  for (const { id, parent } of machines)
    if (parent !== undefined && parent.id !== id && ids.has(parent.id))
      parents.set(id, parent.id);
  const lists = new Map<string, string[]>();
  const add = (above: string, element: string): void => {
    const list = lists.get(above);
    if (list === undefined) lists.set(above, [element]);
    else list.push(element);
  };
  for (const { id, checkpoints } of machines)
    for (const checkpoint of newestFirst(checkpoints))
      add(id, checkpointKey(id, checkpoint.id));
  for (const { id } of machines.toSorted(byName))
    add(parents.get(id) ?? top, id);
  return {
    below: (machine = top) => lists.get(machine) ?? [],
    parentOf: (machine) => parents.get(machine),
    structure: JSON.stringify([...lists]),
  };
}
