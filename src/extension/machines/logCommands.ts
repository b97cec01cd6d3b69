import {
  l10n,
  type QuickPickItem,
  type Terminal,
  ThemeIcon,
  window,
} from "vscode";
import type { Machine } from "../../protocol/machines.ts";
import type { CommandsOf } from "../window/commandIds.ts";
import type { ShowMarkdown } from "../window/documents.ts";
import { about } from "../failures/about.ts";
import { refuse } from "../failures/raise.ts";
import type { Call } from "../helper/connection.ts";
import { withCancellableProgress } from "../window/progress.ts";
import type { Records } from "../helper/records.ts";
import { byName } from "../rows/rows.ts";
import type { BootLogs, LogName } from "./bootLogs.ts";
import { type Args, chooseOne, type ChooseMachines } from "./choose.ts";
import { serialTerminal } from "./console.ts";
import { rowOf } from "../rows/machine.ts";
import { diagnosisMarkdown } from "./diagnosis.ts";

/** Commands that show what a machine says. */
export function logCommands(deps: {
  readonly call: Call;
  readonly choose: ChooseMachines;
  readonly machines: Records<Machine>;
  readonly loaded: () => Promise<void>;
  readonly bootLogs: BootLogs;
  readonly showMarkdown: ShowMarkdown;
}): CommandsOf<
  | "guesthouse.showBootLog"
  | "guesthouse.showDiagnosis"
  | "guesthouse.openConsole"
> {
  const { call, choose, machines, loaded, bootLogs, showMarkdown } = deps;
  /** By socket and QEMU's process: a second terminal on one console would only wait for the first to be closed. */
  const consoles = new Map<string, Terminal>();
  return {
    async "guesthouse.showBootLog"(...args) {
      await loaded();
      const log = await chooseLog(args, machines, bootLogs);
      if (log === undefined) return;
      await about({ kind: "machine", id: log.id }, () =>
        bootLogs.show(log.id, log.name),
      );
    },
    async "guesthouse.showDiagnosis"(...args) {
      const machine = await chooseOne(choose, args, {
        title: l10n.t("Diagnose VM"),
        states: new Set(["starting", "running", "unready", "paused"]),
      });
      if (machine === undefined) return;
      const title = l10n.t("Diagnosis of {0}", machine.name);
      const { diagnosis } = await withCancellableProgress(title, (_, signal) =>
        about({ kind: "machine", id: machine.id }, () =>
          call("machines.diagnose", { machine: machine.id }, signal),
        ),
      );
      await showMarkdown(title, diagnosisMarkdown(machine, diagnosis));
    },
    async "guesthouse.openConsole"(...args) {
      const machine = await chooseOne(choose, args, {
        title: l10n.t("Open Console of VM"),
        states: new Set(["starting", "running", "unready", "stopping"]),
      });
      if (machine === undefined) return;
      const socket =
        machine.runtime?.consoleSocket ??
        (await refuse(
          "machines.wrongState",
          l10n.t("{0} is not running, so it has no console.", machine.name),
        ));
      const key = `${socket} ${String(machine.runtime?.pid)}`;
      const open = consoles.get(key);
      if (open !== undefined && window.terminals.includes(open)) {
        open.show();
        return;
      }
      const terminal = window.createTerminal({
        name: l10n.t("{0} (console)", machine.name),
        pty: serialTerminal(socket),
        iconPath: new ThemeIcon("terminal"),
      });
      consoles.set(key, terminal);
      terminal.show();
    },
  };
}

/** A machine's log, also that of a deleted machine whose channel was open once. */
async function chooseLog(
  [clicked]: Args,
  machines: Records<Machine>,
  bootLogs: BootLogs,
): Promise<LogName | undefined> {
  const remembered = bootLogs.remembered();
  if (typeof clicked === "string") {
    const present =
      machines.get(clicked) ??
      machines.all().find(({ name }) => name === clicked);
    const gone = remembered.find(({ id }) => id === clicked);
    return present ?? gone ?? { id: clicked, name: clicked };
  }
  const here = machines.all().toSorted(byName);
  const ids = new Set(here.map(({ id }) => id));
  const gone = remembered.filter(({ id }) => !ids.has(id));
  const items: (QuickPickItem & { log: LogName })[] = [
    ...here.map((machine) => ({
      label: machine.name,
      description: rowOf(machine, Date.now()).description,
      log: machine,
    })),
    ...gone.map((log) => ({
      label: log.name,
      description: l10n.t("deleted"),
      log,
    })),
  ];
  const title = l10n.t("Show Boot Log");
  return (await window.showQuickPick(items, { title }))?.log;
}
