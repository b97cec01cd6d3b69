import { EventEmitter, type TreeDataProvider, TreeItem, window } from "vscode";
import type {
  Checkpoint,
  Machine,
  MachineStats,
} from "../../protocol/machines.ts";
import type { Records, RecordsChange } from "../records.ts";
import { type Below, tooltipOf, treeItemOf } from "../rows.ts";
import {
  checkpointRow,
  checkpointTooltip,
} from "../snapshots/describeCheckpoint.ts";
import { checkpointKey, checkpointOfKey } from "../snapshots/keys.ts";
import { rowOf } from "./describe.ts";
import { type Nesting, nestingOf } from "./nesting.ts";
import { nextTickMs } from "./tick.ts";
import { machineTooltip } from "./tooltip.ts";

export const machinesViewId = "guesthouse.machines";

const tooltipHoldMs = 8_000;

/**
 * The *Machines* view. Its elements are ids and keys of checkpoints; the records are looked up when a row is drawn.
 * `loaded` settles when the first list is there; until then the view shows its own progress bar.
 */
export function createMachinesView(
  machines: Records<Machine>,
  loaded: () => Promise<void>,
  statsOf: (id: string) => Promise<MachineStats | undefined>,
  thumbnailOf: (machine: Machine) => Promise<string>,
): {
  /** Tells above the rows that they may be old, e.g. because the helper is lost; undefined takes it back. */
  warn(message: string | undefined): void;
  dispose(): void;
} {
  const changes = new EventEmitter<string | undefined>();
  /** The description that each row was last drawn with. */
  const drawn = new Map<string, string>();
  /** Until when ages stand still, because a tooltip is read: drawing any row hides it. */
  let heldUntilMs = 0;

  let nesting = nestingOf(machines.all());
  const provider: TreeDataProvider<string> = {
    onDidChangeTreeData: changes.event,
    async getChildren(element) {
      if (element === undefined) await loaded();
      return [...nesting.below(element)];
    },
    getTreeItem(id) {
      const checkpoint = checkpointAt(machines, id);
      if (checkpoint !== undefined)
        return treeItemOf(id, checkpointRow(checkpoint));
      const machine = machines.get(id);
      // A row may be asked for after its machine went.
      if (machine === undefined) return new TreeItem(id);
      const row = rowOf(machine, Date.now());
      drawn.set(id, row.description);
      return treeItemOf(id, row, belowOf(machine, nesting));
    },
    getParent: (id) => checkpointOfKey(id)?.machine ?? nesting.parentOf(id),
    async resolveTreeItem(item, id) {
      heldUntilMs = Date.now() + tooltipHoldMs;
      const checkpoint = checkpointAt(machines, id);
      if (checkpoint !== undefined)
        item.tooltip = tooltipOf(checkpointTooltip(checkpoint));
      const machine = machines.get(id);
      if (machine === undefined) return item;
      const [stats, thumbnail] = await Promise.all([
        machine.runtime && statsOf(id),
        thumbnailOf(machine),
      ]);
      item.tooltip = tooltipOf(
        machineTooltip(machine, Date.now(), stats) + thumbnail,
      );
      return item;
    },
  };
  const view = window.createTreeView(machinesViewId, {
    treeDataProvider: provider,
    canSelectMany: true,
  });

  let timer: NodeJS.Timeout | undefined;
  const tick = (): void => {
    clearTimeout(timer);
    if (!view.visible) return;
    const states = machines.all().map(({ state }) => state);
    const waitMs = nextTickMs(states, Date.now());
    if (waitMs === undefined) return;
    timer = setTimeout(() => {
      const nowMs = Date.now();
      if (nowMs > heldUntilMs)
        for (const machine of machines.all())
          if (drawn.get(machine.id) !== rowOf(machine, nowMs).description)
            changes.fire(machine.id);
      tick();
    }, waitMs);
  };

  let isFirst = true;
  const known = new Set<string>();
  const keysOf = ({ id, checkpoints }: Machine): string[] => [
    id,
    ...checkpoints.map((checkpoint) => checkpointKey(id, checkpoint.id)),
  ];
  /** A fork and a checkpoint come up in sight: the row above may be folded, or had nothing below it until now. */
  const revealNew = ({ changed }: RecordsChange<Machine>): void => {
    if (!view.visible) return;
    const fresh = changed
      .flatMap(keysOf)
      .filter(
        (key) =>
          !known.has(key) &&
          (checkpointOfKey(key) ?? nesting.parentOf(key)) !== undefined,
      );
    for (const key of fresh)
      // It may be gone before its row is drawn.
      void Promise.resolve(
        view.reveal(key, { select: false, focus: false }),
      ).catch(() => undefined);
  };
  const stopListening = machines.onDidChange((change) => {
    for (const { id } of change.removed) {
      drawn.delete(id);
      known.delete(id);
    }
    const before = nesting.structure;
    nesting = nestingOf(machines.all());
    // Rows that come, go or move need the whole list; a change within a row only that row.
    if (nesting.structure === before)
      for (const { id } of change.changed) changes.fire(id);
    else changes.fire(undefined);
    // The first list unfolds what has forks by itself.
    if (!isFirst) revealNew(change);
    isFirst = false;
    for (const key of change.changed.flatMap(keysOf)) known.add(key);
    tick();
  });
  const visibility = view.onDidChangeVisibility(tick);

  return {
    warn(message) {
      view.message = message ?? "";
    },
    dispose() {
      clearTimeout(timer);
      stopListening();
      visibility.dispose();
      view.dispose();
      changes.dispose();
    },
  };
}

/** VMs below a VM are to be found without a search; checkpoints may be folded away. */
function belowOf(machine: Machine, nesting: Nesting): Below {
  const below = nesting.below(machine.id);
  if (below.length === 0) return "nothing";
  return below.length > machine.checkpoints.length ? "unfolded" : "folded";
}

function checkpointAt(
  machines: Records<Machine>,
  key: string,
): Checkpoint | undefined {
  const name = checkpointOfKey(key);
  return (
    name &&
    machines
      .get(name.machine)
      ?.checkpoints.find(({ id }) => id === name.checkpoint)
  );
}
