import { l10n, type QuickPickItem, window } from "vscode";
import type { Checkpoint, Machine } from "../../protocol/machines.ts";
import { refuse } from "../failures/raise.ts";
import {
  type Args,
  chooseOne,
  type ChooseMachines,
} from "../machines/choose.ts";
import { checkpointRow, newestFirst } from "../rows/checkpoint.ts";
import { checkpointOfKey } from "../rows/keys.ts";

export interface ChosenCheckpoint {
  readonly machine: Machine;
  readonly checkpoint: Checkpoint;
}

/**
 * The checkpoint that a command is about: the tree's, or what the user picks, first the machine and then one of its
 * checkpoints, the newest one first. Undefined when the user picks none.
 */
export async function chooseCheckpoint(
  choose: ChooseMachines,
  args: Args,
  title: string,
): Promise<ChosenCheckpoint | undefined> {
  const name = checkpointOfKey(args[0]);
  const machine = await chooseOne(
    choose,
    name === undefined ? args : [name.machine],
    { title, fits: ({ checkpoints }) => checkpoints.length > 0 },
  );
  if (machine === undefined) return undefined;
  const checkpoint =
    name === undefined
      ? await pick(machine, title)
      : await find(machine, name.checkpoint);
  return checkpoint && { machine, checkpoint };
}

async function find(machine: Machine, id: string): Promise<Checkpoint> {
  return (
    machine.checkpoints.find((each) => each.id === id) ??
    refuse(
      "checkpoints.unknown",
      l10n.t("{0} doesn't have this checkpoint any more.", machine.name),
    )
  );
}

async function pick(
  machine: Machine,
  title: string,
): Promise<Checkpoint | undefined> {
  if (machine.checkpoints.length === 0)
    return refuse(
      "checkpoints.unknown",
      l10n.t("{0} has no checkpoint yet.", machine.name),
    );
  const items = newestFirst(machine.checkpoints).map(
    (checkpoint): QuickPickItem & { checkpoint: Checkpoint } => {
      const { label, description } = checkpointRow(checkpoint);
      return { label, description, checkpoint };
    },
  );
  const picked = await window.showQuickPick(items, {
    title: l10n.t("{0}: {1}", title, machine.name),
    matchOnDescription: true,
  });
  return picked?.checkpoint;
}
