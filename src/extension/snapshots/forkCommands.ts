import { l10n, window } from "vscode";
import type { Machine } from "../../protocol/machines.ts";
import type { CommandsOf } from "../window/commandIds.ts";
import { about } from "../failures/about.ts";
import type { Call } from "../helper/connection.ts";
import { askName } from "../machines/askForm.ts";
import {
  type Args,
  chooseOne,
  type ChooseMachines,
} from "../machines/choose.ts";
import { reporting } from "../machines/ready.ts";
import { withCancellableProgress } from "../window/progress.ts";
import type { Records } from "../helper/records.ts";
import { runTold } from "../failures/registerCommands.ts";
import type { Settings } from "../window/settings.ts";
import type { OpenMachine } from "../ssh/open.ts";
import { chooseCheckpoint } from "./chooseCheckpoint.ts";
import { titleOf } from "../rows/checkpoint.ts";
import { freeName } from "./names.ts";

export interface ForkCommandDeps {
  readonly call: Call;
  readonly choose: ChooseMachines;
  readonly machines: Records<Machine>;
  readonly settings: () => Settings;
  readonly open: OpenMachine;
}

/** Commands that make a machine of a machine. */
export const forkCommands = (
  deps: ForkCommandDeps,
): CommandsOf<
  "guesthouse.forkMachine" | "guesthouse.branchFromCheckpoint"
> => ({
  "guesthouse.forkMachine": (...args) => fork(deps, args),
  "guesthouse.branchFromCheckpoint": (...args) =>
    branchFromCheckpoint(deps, args),
});

async function fork(deps: ForkCommandDeps, args: Args): Promise<void> {
  const { call, choose } = deps;
  const parent = await chooseOne(choose, args, {
    title: l10n.t("Fork VM"),
    states: new Set(["running", "paused", "suspended"]),
  });
  if (parent === undefined) return;
  const name = await askNewName(
    deps,
    { base: parent.name, suffix: "fork" },
    l10n.t("Name of the fork of {0}", parent.name),
  );
  if (name === undefined) return;
  let pausedMs = 0;
  const made = await make(
    deps,
    { title: l10n.t("Forking {0}", parent.name), parent, name },
    async (signal) => {
      const params = { machine: parent.id, name };
      const answer = await call("machines.fork", params, signal);
      ({ pausedMs } = answer);
      return answer.machine;
    },
  );
  offerOpen(
    deps,
    made,
    l10n.t(
      "{0} goes on where {1} was; {1} stood still for {2} s.",
      made.name,
      parent.name,
      (pausedMs / 1000).toFixed(1),
    ),
  );
}

async function branchFromCheckpoint(
  deps: ForkCommandDeps,
  args: Args,
): Promise<void> {
  const { call, choose } = deps;
  const title = l10n.t("Branch From Checkpoint");
  const chosen = await chooseCheckpoint(choose, args, title);
  if (chosen === undefined) return;
  const { machine: parent, checkpoint } = chosen;
  const name = await askNewName(
    deps,
    { base: parent.name, suffix: "branch" },
    l10n.t("Name of the branch of {0}", parent.name),
  );
  if (name === undefined) return;
  const made = await make(
    deps,
    {
      title: l10n.t("Branching from “{0}”", titleOf(checkpoint)),
      parent,
      name,
    },
    async (signal) => {
      const params = { machine: parent.id, checkpoint: checkpoint.id, name };
      return (await call("checkpoints.branch", params, signal)).machine;
    },
  );
  offerOpen(
    deps,
    made,
    l10n.t("{0} begins at “{1}”.", made.name, titleOf(checkpoint)),
  );
}

function askNewName(
  { machines }: ForkCommandDeps,
  { base, suffix }: { readonly base: string; readonly suffix: string },
  title: string,
): Promise<string | undefined> {
  const taken = new Set(machines.all().map(({ name }) => name));
  return askName(freeName(base, suffix, taken), title);
}

/** Shows the new machine's stages until it can be used; Cancel ends it. */
const make = (
  { machines }: ForkCommandDeps,
  of: {
    readonly title: string;
    readonly parent: Machine;
    readonly name: string;
  },
  work: (signal: AbortSignal) => Promise<Machine>,
): Promise<Machine> =>
  withCancellableProgress(of.title, (report, signal) =>
    reporting(
      machines,
      () => machines.all().find(({ name }) => name === of.name),
      report,
      () => about({ kind: "machine", id: of.parent.id }, () => work(signal)),
    ),
  );

/** Not awaited by the command: its work is done, whenever the question is answered. */
function offerOpen(
  { settings, open }: ForkCommandDeps,
  machine: Machine,
  text: string,
): void {
  const button = l10n.t("Open");
  void window.showInformationMessage(text, button).then((answer) => {
    if (answer !== button) return undefined;
    const target = {
      folder: "machine",
      openIn: settings().openIn,
    } as const;
    return runTold(() => open(machine, target));
  });
}
