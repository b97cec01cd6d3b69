import { EventEmitter, type TreeDataProvider, TreeItem, window } from "vscode";
import type { Machine, MachineStats } from "../../protocol/machines.ts";
import type { Records } from "../records.ts";
import { byName, tooltipOf, treeItemOf } from "../rows.ts";
import { rowOf } from "./describe.ts";
import { nextTickMs } from "./tick.ts";
import { machineTooltip } from "./tooltip.ts";

export const machinesViewId = "guesthouse.machines";

const tooltipHoldMs = 8_000;

/**
 * The *Machines* view. Its elements are ids; the records are looked up when a row is drawn. `loaded` settles when
 * the first list is there; until then the view shows its own progress bar.
 */
export function createMachinesView(
  machines: Records<Machine>,
  loaded: () => Promise<void>,
  statsOf: (id: string) => Promise<MachineStats | undefined>,
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

  const provider: TreeDataProvider<string> = {
    onDidChangeTreeData: changes.event,
    async getChildren(element) {
      if (element !== undefined) return [];
      await loaded();
      return orderOf(machines);
    },
    getTreeItem(id) {
      const machine = machines.get(id);
      // A row may be asked for after its machine went.
      if (machine === undefined) return new TreeItem(id);
      const row = rowOf(machine, Date.now());
      drawn.set(id, row.description);
      return treeItemOf(id, row);
    },
    getParent: () => undefined,
    async resolveTreeItem(item, id) {
      const machine = machines.get(id);
      heldUntilMs = Date.now() + tooltipHoldMs;
      if (machine === undefined) return item;
      const stats = machine.runtime && (await statsOf(id));
      item.tooltip = tooltipOf(machineTooltip(machine, Date.now(), stats));
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

  let shown = "";
  const stopListening = machines.onDidChange(({ changed, removed }) => {
    for (const { id } of removed) drawn.delete(id);
    const order = orderOf(machines).join();
    // Rows that come, go or move need the whole list; a change within a row only that row.
    if (order === shown) for (const { id } of changed) changes.fire(id);
    else changes.fire(undefined);
    shown = order;
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

const orderOf = (machines: Records<Machine>): string[] =>
  machines
    .all()
    .toSorted(byName)
    .map(({ id }) => id);
