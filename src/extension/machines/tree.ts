/*
 * The *Machines* view. It owns the tree and its clock, and shows what the records say. What it keeps is only how rows were
 * drawn last: drawing a row hides its tooltip, so nothing is drawn that looks as it did. `machinesRoom.ts` makes it, once
 * in a window.
 */
import {
  type Event,
  EventEmitter,
  type TreeDataProvider,
  TreeItem,
  type TreeView,
  window,
} from "vscode";
import type { Service } from "../../protocol/containers.ts";
import type {
  Checkpoint,
  Machine,
  MachineStats,
} from "../../protocol/machines.ts";
import type { Records } from "../helper/records.ts";
import { machinesViewId } from "../window/viewIds.ts";
import { type Below, type Row, tooltipOf, treeItemOf } from "../rows/rows.ts";
import { checkpointRow, checkpointTooltip } from "../rows/checkpoint.ts";
import {
  checkpointKey,
  checkpointOfKey,
  serviceKey,
  serviceOfKey,
} from "../rows/keys.ts";
import { rowOf } from "../rows/machine.ts";
import { serviceRow, serviceTooltip, withServices } from "../rows/service.ts";
import { createTicker } from "../rows/ticker.ts";
import { type Nesting, nestingOf } from "./nesting.ts";
import { Services } from "./services.ts";
import { nextTickMs } from "./tick.ts";
import { machineTooltip } from "./tooltip.ts";

const tooltipHoldMs = 8_000;

export interface MachinesViewDeps {
  readonly machines: Records<Machine>;
  /** Settles when the first list is there; until then the view shows its own progress bar. */
  readonly loaded: () => Promise<void>;
  readonly services: Services;
  readonly statsOf: (id: string) => Promise<MachineStats | undefined>;
  /** Markdown below a tooltip; empty where there is no picture. */
  readonly thumbnailOf: (machine: Machine) => Promise<string>;
}

export interface MachinesView {
  /** Tells above the rows that they may be old, e.g. because the helper is lost; undefined takes it back. */
  readonly warn: (message: string | undefined) => void;
  dispose(): void;
}

/** Its elements are ids of machines, keys of checkpoints and of services; the records are looked up when a row is drawn. */
export function createMachinesView(deps: MachinesViewDeps): MachinesView {
  const { machines, services } = deps;
  const changes = new EventEmitter<string | undefined>();
  const drawing: Drawing = {
    descriptions: new Map(),
    heldUntilMs: 0,
    nesting: nestingOf(machines.all()),
  };
  const view = window.createTreeView(machinesViewId, {
    treeDataProvider: providerOf(deps, drawing, changes.event),
    canSelectMany: true,
  });

  const ticker = createTicker(
    () => {
      if (!view.visible) return undefined;
      const states = machines.all().map(({ state }) => state);
      return nextTickMs(states, Date.now());
    },
    () => {
      const nowMs = Date.now();
      if (nowMs <= drawing.heldUntilMs) return;
      for (const machine of machines.all())
        if (
          drawing.descriptions.get(machine.id) !==
          machineRow(machine, services, nowMs).description
        )
          changes.fire(machine.id);
    },
  );

  const redraw = (id: string): void => changes.fire(id);
  const warnings = serviceWarnings(deps, drawing, view, redraw);
  let isFirst = true;
  const known = new Set<string>();
  const stopListening = machines.onDidChange((change) => {
    for (const { id } of change.removed) {
      drawing.descriptions.delete(id);
      known.delete(id);
    }
    const before = drawing.nesting.structure;
    drawing.nesting = nestingOf(machines.all());
    // Rows that come, go or move need the whole list; a change within a row only that row.
    if (drawing.nesting.structure === before)
      for (const { id } of change.changed) changes.fire(id);
    else changes.fire(undefined);
    warnings.look(change.changed);
    const keys = change.changed.flatMap(keysOf);
    // The first list unfolds what has forks by itself.
    if (!isFirst && view.visible)
      for (const key of keys)
        if (!known.has(key) && isBelow(key, drawing.nesting)) reveal(view, key);
    isFirst = false;
    for (const key of keys) known.add(key);
    ticker.look();
  });
  const visibility = view.onDidChangeVisibility(ticker.look);

  return {
    warn: (message) => {
      view.message = message ?? "";
    },
    dispose() {
      ticker.dispose();
      stopListening();
      visibility.dispose();
      warnings.dispose();
      view.dispose();
      changes.dispose();
    },
  };
}

/**
 * Asks for the services of machines that have changed while the view is seen, and of one that is unfolded. A row that warns
 * of its services, or ceases to, is drawn again; what is below it is known by then.
 */
function serviceWarnings(
  { machines, services }: MachinesViewDeps,
  drawing: Drawing,
  view: TreeView<string>,
  redraw: (id: string) => void,
): { look: (changed: readonly Machine[]) => void; dispose: () => void } {
  const look = async (machine: Machine): Promise<void> => {
    await services.look(machine);
    const now = machines.get(machine.id);
    if (
      now !== undefined &&
      drawing.descriptions.get(now.id) !==
        machineRow(now, services, Date.now()).description
    )
      redraw(now.id);
  };
  const expanding = view.onDidExpandElement(({ element }) => {
    const machine = machines.get(element);
    if (machine === undefined || !Services.areIn(machine)) return;
    // What is below is asked for with its rows.
    if (!services.isRecent(machine)) redraw(element);
    void look(machine);
  });
  return {
    look: (changed) => {
      if (!view.visible) return;
      for (const machine of changed)
        if (Services.areIn(machine)) void look(machine);
    },
    dispose: () => void expanding.dispose(),
  };
}

/** How the rows stand now, between view and provider. */
interface Drawing {
  /** What each row was last drawn with. */
  readonly descriptions: Map<string, string>;
  /** Until when ages stand still, because a tooltip is read: drawing any row hides it. */
  heldUntilMs: number;
  nesting: Nesting;
}

const providerOf = (
  { machines, services, loaded, statsOf, thumbnailOf }: MachinesViewDeps,
  drawing: Drawing,
  onDidChangeTreeData: Event<string | undefined>,
): TreeDataProvider<string> => ({
  onDidChangeTreeData,
  async getChildren(element) {
    if (element === undefined) await loaded();
    const machine = element === undefined ? undefined : machines.get(element);
    const running = machine === undefined ? [] : await services.look(machine);
    return [
      ...running.map(({ id }) => serviceKey(element ?? "", id)),
      ...drawing.nesting.below(element),
    ];
  },
  getTreeItem(id) {
    const checkpoint = checkpointAt(machines, id);
    if (checkpoint !== undefined)
      return treeItemOf(id, checkpointRow(checkpoint));
    const service = serviceAt(machines, services, id);
    if (service !== undefined) return treeItemOf(id, serviceRow(service));
    const machine = machines.get(id);
    // A row may be asked for after its machine went.
    if (machine === undefined) return new TreeItem(id);
    const row = machineRow(machine, services, Date.now());
    drawing.descriptions.set(id, row.description);
    return treeItemOf(id, row, belowOf(machine, drawing.nesting));
  },
  getParent: (id) =>
    checkpointOfKey(id)?.machine ?? drawing.nesting.parentOf(id),
  async resolveTreeItem(item, id) {
    drawing.heldUntilMs = Date.now() + tooltipHoldMs;
    const checkpoint = checkpointAt(machines, id);
    if (checkpoint !== undefined)
      item.tooltip = tooltipOf(checkpointTooltip(checkpoint));
    const service = serviceAt(machines, services, id);
    if (service !== undefined)
      item.tooltip = tooltipOf(serviceTooltip(service));
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
});

const keysOf = ({ id, checkpoints }: Machine): string[] => [
  id,
  ...checkpoints.map((checkpoint) => checkpointKey(id, checkpoint.id)),
];

const isBelow = (key: string, nesting: Nesting): boolean =>
  (checkpointOfKey(key) ?? nesting.parentOf(key)) !== undefined;

/** A fork and a checkpoint come up in sight: the row above may be folded, or had nothing below it until now. */
const reveal = (view: TreeView<string>, key: string): void =>
  // It may be gone before its row is drawn.
  void Promise.resolve(view.reveal(key, { select: false, focus: false })).catch(
    () => undefined,
  );

const machineRow = (machine: Machine, services: Services, nowMs: number): Row =>
  withServices(rowOf(machine, nowMs), services.known(machine));

/** VMs below a VM are to be found without a search; checkpoints and services may be folded away. */
function belowOf(machine: Machine, nesting: Nesting): Below {
  const below = nesting.below(machine.id);
  if (below.length === 0) return Services.areIn(machine) ? "folded" : "nothing";
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

function serviceAt(
  machines: Records<Machine>,
  services: Services,
  key: string,
): Service | undefined {
  const name = serviceOfKey(key);
  const machine = name && machines.get(name.machine);
  return (
    machine && services.known(machine).find(({ id }) => id === name.service)
  );
}
