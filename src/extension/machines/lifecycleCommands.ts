import { l10n, window } from "vscode";
import type { Machine } from "../../protocol/machines.ts";
import type { Command, CommandsOf } from "../window/commandIds.ts";
import { about } from "../failures/about.ts";
import type { Call } from "../helper/connection.ts";
import { withViewProgress } from "../window/progress.ts";
import type { ChooseMachines } from "./choose.ts";
import { bringBackWork } from "./bringBack.ts";
import { deleteMachine } from "./deleteMachine.ts";
import type { MachineGate } from "../rows/machine.ts";
import { machinesViewId } from "../window/viewIds.ts";

/** A command that is one request for each chosen machine. */
interface Verb {
  /** Title of the picker when nothing is selected. */
  readonly title: () => string;
  readonly states: readonly MachineGate[];
  readonly confirm?: (machines: readonly Machine[]) => Confirmation;
  readonly run: (call: Call, machine: string, of: Machine) => Promise<unknown>;
}

interface Confirmation {
  readonly question: string;
  readonly detail: string;
  readonly button: string;
}

const verbs = {
  "guesthouse.startMachine": {
    title: () => l10n.t("Start VM"),
    states: ["stopped", "suspended"],
    run: (call, machine) => call("machines.start", { machine }),
  },
  "guesthouse.stopMachine": {
    title: () => l10n.t("Stop VM"),
    states: ["starting", "running", "unready", "paused"],
    run: (call, machine) => call("machines.stop", { machine }),
  },
  "guesthouse.forceStopMachine": {
    title: () => l10n.t("Force VM Off"),
    states: ["starting", "running", "unready", "paused"],
    confirm: (machines) => ({
      question: l10n.t("Force {0} off?", names(machines)),
      detail: l10n.t("What the guest has not written to its disk yet is lost."),
      button: l10n.t("Force Off"),
    }),
    run: (call, machine) => call("machines.stop", { machine, force: true }),
  },
  "guesthouse.restartMachine": {
    title: () => l10n.t("Restart VM"),
    states: ["running", "unready", "paused"],
    run: (call, machine) => call("machines.restart", { machine }),
  },
  "guesthouse.pauseMachine": {
    title: () => l10n.t("Pause VM"),
    states: ["running", "unready"],
    run: (call, machine) => call("machines.pause", { machine }),
  },
  "guesthouse.resumeMachine": {
    title: () => l10n.t("Resume VM"),
    states: ["paused", "suspended"],
    // A suspended machine has no QEMU to resume: its start goes on where it was.
    run: (call, machine, { state }) =>
      state.kind === "stopped"
        ? call("machines.start", { machine })
        : call("machines.resume", { machine }),
  },
  "guesthouse.suspendMachine": {
    title: () => l10n.t("Suspend VM"),
    states: ["running", "unready", "paused"],
    run: (call, machine) => call("machines.suspend", { machine }),
  },
  "guesthouse.deleteMachine": {
    title: () => l10n.t("Delete VM"),
    states: [
      "stopped",
      "suspended",
      "starting",
      "running",
      "unready",
      "paused",
    ],
    confirm: (machines) => ({
      question: l10n.t("Delete {0}?", names(machines)),
      detail: deletionText(machines),
      button: l10n.t("Delete"),
    }),
    run: (call, _, machine) =>
      deleteMachine(call, machine, (each) => bringBackWork(call, each)),
  },
} as const satisfies Partial<Record<string, Verb>>;

type LifecycleCommands = CommandsOf<keyof typeof verbs>;

export function lifecycleCommands(
  call: Call,
  choose: ChooseMachines,
): LifecycleCommands {
  const commandOf =
    (verb: Verb): Command =>
    async (...args) => {
      const machines = await choose(args, {
        title: verb.title(),
        states: new Set(verb.states),
      });
      if (machines.length === 0) return;
      if (verb.confirm !== undefined) {
        const { question, detail, button } = verb.confirm(machines);
        const options = { modal: true, detail };
        const answer = await window.showWarningMessage(
          question,
          options,
          button,
        );
        if (answer !== button) return;
      }
      await withViewProgress(machinesViewId, () =>
        allOf(machines, (machine) => {
          const { id } = machine;
          return about({ kind: "machine", id }, () =>
            verb.run(call, id, machine),
          );
        }),
      );
    };
  return Object.fromEntries(
    Object.entries(verbs).map(([id, verb]) => [id, commandOf(verb)]),
  ) as LifecycleCommands;
}

function deletionText(machines: readonly Machine[]): string {
  const sentences = [
    machines.every(({ state }) => state.kind === "stopped")
      ? l10n.t("The disk and all that is on it are deleted for good.")
      : l10n.t(
          "It is stopped first. The disk and all that is on it are deleted for good.",
        ),
  ];
  if (machines.some(({ checkpoints }) => checkpoints.length > 0))
    sentences.push(l10n.t("Its checkpoints go with it."));
  return sentences.join(" ");
}

/** Waits for all, so that one failure doesn't hide that the others go on; then throws the first. */
async function allOf<T>(
  items: readonly T[],
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const results = await Promise.allSettled(items.map(work));
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

function names(machines: readonly Machine[]): string {
  const [first] = machines;
  return machines.length === 1 && first !== undefined
    ? first.name
    : l10n.t("{0} VMs", machines.length);
}
