import { l10n, window } from "vscode";
import type { Machine } from "../../protocol/machines.ts";
import type { CommandsOf } from "../commandIds.ts";
import { about } from "../failures/about.ts";
import type { Call } from "../helper/connection.ts";
import { askName } from "../machines/askForm.ts";
import { chooseOne, type ChooseMachines } from "../machines/choose.ts";
import { reporting } from "../machines/ready.ts";
import { withCancellableProgress } from "../progress.ts";
import type { Records } from "../records.ts";
import { runTold } from "../registerCommands.ts";
import type { Settings } from "../settings.ts";
import type { OpenMachine } from "../ssh/open.ts";
import { chooseCheckpoint } from "./chooseCheckpoint.ts";
import { titleOf } from "./describeCheckpoint.ts";
import { freeName } from "./names.ts";

/** Commands that make a machine of a machine. */
export function forkCommands(deps: {
  readonly call: Call;
  readonly choose: ChooseMachines;
  readonly machines: Records<Machine>;
  readonly settings: () => Settings;
  readonly open: OpenMachine;
}): CommandsOf<"guesthouse.forkMachine" | "guesthouse.branchFromCheckpoint"> {
  const { call, choose, machines, settings, open } = deps;

  const ask = (
    base: string,
    suffix: string,
    title: string,
  ): Promise<string | undefined> => {
    const taken = new Set(machines.all().map(({ name }) => name));
    return askName(freeName(base, suffix, taken), title);
  };

  /** Shows the new machine's stages until it can be used; Cancel ends it. */
  const make = (
    title: string,
    parent: string,
    name: string,
    work: (signal: AbortSignal) => Promise<Machine>,
  ): Promise<Machine> =>
    withCancellableProgress(title, (report, signal) =>
      reporting(
        machines,
        () => machines.all().find((machine) => machine.name === name),
        report,
        () => about({ kind: "machine", id: parent }, () => work(signal)),
      ),
    );

  /** Not awaited by the command: its work is done, whenever the question is answered. */
  const offerOpen = (machine: Machine, text: string): void => {
    const button = l10n.t("Open");
    void window.showInformationMessage(text, button).then((answer) => {
      if (answer !== button) return undefined;
      const target = {
        folder: "machine",
        openIn: settings().openIn,
      } as const;
      return runTold(() => open(machine, target));
    });
  };

  return {
    async "guesthouse.forkMachine"(...args) {
      const title = l10n.t("Fork VM");
      const parent = await chooseOne(choose, args, {
        title,
        states: new Set(["running", "paused", "suspended"]),
      });
      if (parent === undefined) return;
      const name = await ask(
        parent.name,
        "fork",
        l10n.t("Name of the fork of {0}", parent.name),
      );
      if (name === undefined) return;
      let pausedMs = 0;
      const fork = await make(
        l10n.t("Forking {0}", parent.name),
        parent.id,
        name,
        async (signal) => {
          const answer = await call(
            "machines.fork",
            { machine: parent.id, name },
            signal,
          );
          ({ pausedMs } = answer);
          return answer.machine;
        },
      );
      offerOpen(
        fork,
        l10n.t(
          "{0} goes on where {1} was; {1} stood still for {2} s.",
          fork.name,
          parent.name,
          (pausedMs / 1000).toFixed(1),
        ),
      );
    },

    async "guesthouse.branchFromCheckpoint"(...args) {
      const title = l10n.t("Branch From Checkpoint");
      const chosen = await chooseCheckpoint(choose, args, title);
      if (chosen === undefined) return;
      const { machine: parent, checkpoint } = chosen;
      const name = await ask(
        parent.name,
        "branch",
        l10n.t("Name of the branch of {0}", parent.name),
      );
      if (name === undefined) return;
      const branch = await make(
        l10n.t("Branching from “{0}”", titleOf(checkpoint)),
        parent.id,
        name,
        async (signal) => {
          const params = {
            machine: parent.id,
            checkpoint: checkpoint.id,
            name,
          };
          return (await call("checkpoints.branch", params, signal)).machine;
        },
      );
      offerOpen(
        branch,
        l10n.t("{0} begins at “{1}”.", branch.name, titleOf(checkpoint)),
      );
    },
  };
}
