import { l10n, type QuickPickItem, window } from "vscode";
import type { Machine } from "../../protocol/machines.ts";
import { refuse } from "../failures/raise.ts";
import type { Records } from "../helper/records.ts";
import { byName } from "../rows/rows.ts";
import { checkpointOfKey } from "../rows/keys.ts";
import { gateOf, type MachineGate, rowOf } from "../rows/machine.ts";

export type Args = readonly unknown[];

/**
 * The machines a command is about: the tree's selection, the one that its argument names (id, name or alias), or
 * what the user picks among those in a fitting state. Empty when the user picks none.
 */
export type ChooseMachines = (
  args: Args,
  question: {
    readonly title: string;
    readonly states?: ReadonlySet<MachineGate>;
    /** Among those in a fitting state, for the picker. */
    readonly fits?: (machine: Machine) => boolean;
  },
) => Promise<readonly Machine[]>;

export function machineChooser(
  machines: Records<Machine>,
  loaded: () => Promise<void>,
): ChooseMachines {
  return async (args, { title, states, fits = () => true }) => {
    await loaded();
    const named = namedIn(args);
    if (named.length > 0)
      return Promise.all(named.map((name) => find(machines, name)));
    const fitting = machines
      .all()
      .filter(({ state }) => states?.has(gateOf(state)) ?? true)
      .filter(fits)
      .toSorted(byName);
    if (fitting.length === 0)
      return refuse(
        "machines.wrongState",
        machines.all().length === 0
          ? l10n.t("There is no VM yet.")
          : l10n.t("No VM is in a state for this: {0}.", title),
      );
    const picked = await window.showQuickPick(fitting.map(itemOf), { title });
    return picked === undefined ? [] : [picked.machine];
  };
}

/** One machine, undefined when the user picks none. */
export async function chooseOne(
  choose: ChooseMachines,
  args: Args,
  question: Parameters<ChooseMachines>[1],
): Promise<Machine | undefined> {
  const [machine] = await choose(args.slice(0, 1), question);
  return machine;
}

/** A tree calls with the clicked id and all selected ones; a click outside the selection counts alone. */
export function namedIn(args: Args): string[] {
  const [clicked, selected] = args;
  // Checkpoints are rows of the same tree and may be selected with machines.
  if (Array.isArray(selected) && selected.includes(clicked))
    return selected.filter(
      (each): each is string =>
        typeof each === "string" && checkpointOfKey(each) === undefined,
    );
  return typeof clicked === "string" ? [clicked] : [];
}

async function find(
  machines: Records<Machine>,
  name: string,
): Promise<Machine> {
  const found =
    machines.get(name) ??
    machines.all().find((each) => each.name === name || each.alias === name);
  return (
    found ??
    refuse("machines.unknown", l10n.t("There is no VM called {0}.", name))
  );
}

const itemOf = (machine: Machine): QuickPickItem & { machine: Machine } => ({
  label: machine.name,
  description: rowOf(machine, Date.now()).description,
  machine,
});
