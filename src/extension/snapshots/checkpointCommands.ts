import { l10n, window } from "vscode";
import type { Machine } from "../../protocol/machines.ts";
import type { CommandsOf } from "../window/commandIds.ts";
import { about } from "../failures/about.ts";
import type { Call } from "../helper/connection.ts";
import {
  type Args,
  chooseOne,
  type ChooseMachines,
} from "../machines/choose.ts";
import { reporting } from "../machines/ready.ts";
import { machinesViewId } from "../window/viewIds.ts";
import {
  withCancellableProgress,
  withViewProgress,
} from "../window/progress.ts";
import { bytesText, timeText } from "../rows/quantities.ts";
import type { Records } from "../helper/records.ts";
import type { Settings } from "../window/settings.ts";
import { chooseCheckpoint, type ChosenCheckpoint } from "./chooseCheckpoint.ts";
import { titleOf } from "../rows/checkpoint.ts";

/** As the contract bounds it. */
const maxNoteLength = 200;

export interface CheckpointCommandDeps {
  readonly call: Call;
  readonly choose: ChooseMachines;
  readonly machines: Records<Machine>;
  readonly settings: () => Settings;
}

/** Commands on a machine's checkpoints. */
export const checkpointCommands = (
  deps: CheckpointCommandDeps,
): CommandsOf<
  | "guesthouse.createCheckpoint"
  | "guesthouse.rollBack"
  | "guesthouse.deleteCheckpoint"
> => ({
  "guesthouse.createCheckpoint": (...args) => createCheckpoint(deps, args),
  "guesthouse.rollBack": (...args) => rollBack(deps, args),
  "guesthouse.deleteCheckpoint": (...args) => deleteCheckpoint(deps, args),
});

async function createCheckpoint(
  { call, choose }: CheckpointCommandDeps,
  args: Args,
): Promise<void> {
  const machine = await chooseOne(choose, args, {
    title: l10n.t("Checkpoint VM"),
    states: new Set(["running", "unready", "paused", "stopped", "suspended"]),
  });
  if (machine === undefined) return;
  const note = await askNote(machine);
  if (note === undefined) return;
  await withViewProgress(machinesViewId, () =>
    about({ kind: "machine", id: machine.id }, () =>
      call("checkpoints.create", {
        machine: machine.id,
        ...(note === "" ? {} : { note }),
      }),
    ),
  );
}

async function rollBack(
  { call, choose, machines, settings }: CheckpointCommandDeps,
  args: Args,
): Promise<void> {
  const title = l10n.t("Roll Back VM");
  const chosen = await chooseCheckpoint(choose, args, title);
  if (chosen === undefined) return;
  const keepPresent = await askRollBack(
    chosen,
    settings().checkpointBeforeRisk,
  );
  if (keepPresent === undefined) return;
  const { machine, checkpoint } = chosen;
  const params = {
    machine: machine.id,
    checkpoint: checkpoint.id,
    keepPresent,
  };
  await withCancellableProgress(
    l10n.t("Rolling {0} back", machine.name),
    (report, signal) =>
      reporting(
        machines,
        () => machines.get(machine.id),
        report,
        () =>
          about({ kind: "machine", id: machine.id }, () =>
            call("checkpoints.rollBack", params, signal),
          ),
      ),
  );
}

async function deleteCheckpoint(
  { call, choose }: CheckpointCommandDeps,
  args: Args,
): Promise<void> {
  const title = l10n.t("Delete Checkpoint");
  const chosen = await chooseCheckpoint(choose, args, title);
  if (chosen === undefined) return;
  const { machine, checkpoint } = chosen;
  const button = l10n.t("Delete");
  const answer = await window.showWarningMessage(
    l10n.t(
      "Delete the checkpoint “{0}” of {1}?",
      titleOf(checkpoint),
      machine.name,
    ),
    {
      modal: true,
      detail: l10n.t(
        "The VM can't be put back to it any more. It takes {0}; what other VMs or checkpoints stand on is kept.",
        bytesText(checkpoint.sizeBytes),
      ),
    },
    button,
  );
  if (answer !== button) return;
  await withViewProgress(machinesViewId, () =>
    about({ kind: "machine", id: machine.id }, () =>
      call("checkpoints.delete", {
        machine: machine.id,
        checkpoint: checkpoint.id,
      }),
    ),
  );
}

const askNote = ({ name }: Machine): Thenable<string | undefined> =>
  window
    .showInputBox({
      title: l10n.t("Checkpoint of {0}", name),
      prompt: l10n.t(
        "A note to know it by; without one it is called by its time.",
      ),
      placeHolder: l10n.t("before the upgrade"),
      validateInput: (text) =>
        text.trim().length > maxNoteLength
          ? l10n.t("At most {0} characters.", maxNoteLength)
          : undefined,
    })
    .then((text) => text?.trim());

/** Asks for consent; answers whether the present state is kept, undefined when the user leaves. */
async function askRollBack(
  { machine, checkpoint }: ChosenCheckpoint,
  alwaysKeep: boolean,
): Promise<boolean | undefined> {
  const question = l10n.t(
    "Roll {0} back to “{1}”?",
    machine.name,
    titleOf(checkpoint),
  );
  const after = checkpoint.memory
    ? l10n.t("The VM goes on where it was then.")
    : l10n.t("The VM boots from its disk of then.");
  const taken = timeText(checkpoint.createdAt);
  const rollBack = l10n.t("Roll Back");
  if (alwaysKeep) {
    const detail = `${after} ${l10n.t("Its present state is kept as a checkpoint first.")}`;
    const options = { modal: true, detail };
    const answer = await window.showWarningMessage(question, options, rollBack);
    return answer === rollBack ? true : undefined;
  }
  const keep = l10n.t("Keep Present State and Roll Back");
  const lost =
    machine.state.kind === "stopped"
      ? l10n.t("What was changed on its disk since {0} is lost.", taken)
      : l10n.t(
          "What was changed on its disk since {0} is lost, and the programs that run in it now end.",
          taken,
        );
  const answer = await window.showWarningMessage(
    question,
    { modal: true, detail: `${lost} ${after}` },
    rollBack,
    keep,
  );
  if (answer === undefined) return undefined;
  return answer === keep;
}
