import { env, l10n, window } from "vscode";
import type { Machine } from "../../protocol/machines.ts";
import type { Command, CommandsOf } from "../commandIds.ts";
import { about } from "../failures/about.ts";
import type { Call } from "../helper/connection.ts";
import {
  type Args,
  chooseOne,
  type ChooseMachines,
} from "../machines/choose.ts";
import type { MakeReady } from "../machines/ready.ts";
import { withCancellableProgress } from "../progress.ts";
import type { Settings } from "../settings.ts";
import { quoted } from "../shellQuoting.ts";
import { openProgram } from "../terminals.ts";
import { isWholePath } from "./address.ts";
import type { OpenMachine, OpenTarget } from "./open.ts";

/** Commands that go into a guest. */
export function sshCommands(deps: {
  readonly call: Call;
  readonly choose: ChooseMachines;
  readonly settings: () => Settings;
  readonly makeReady: MakeReady;
  readonly open: OpenMachine;
}): CommandsOf<
  | "guesthouse.openMachine"
  | "guesthouse.openMachineInNewWindow"
  | "guesthouse.openMachineInCurrentWindow"
  | "guesthouse.openEmptyWindow"
  | "guesthouse.openMachineFolder"
  | "guesthouse.sshInTerminal"
  | "guesthouse.copySshCommand"
> {
  const { call, choose, settings, makeReady, open } = deps;
  const chosen = (args: Args, title: string): Promise<Machine | undefined> =>
    chooseOne(choose, args, { title });

  const openCommand =
    (target: () => OpenTarget): Command =>
    async (...args) => {
      const machine = await chosen(args, l10n.t("Open VM"));
      if (machine !== undefined) await open(machine, target());
    };

  return {
    "guesthouse.openMachine": openCommand(() => ({
      folder: "machine",
      openIn: settings().openIn,
    })),
    "guesthouse.openMachineInNewWindow": openCommand(() => ({
      folder: "machine",
      openIn: "newWindow",
    })),
    "guesthouse.openMachineInCurrentWindow": openCommand(() => ({
      folder: "machine",
      openIn: "currentWindow",
    })),
    "guesthouse.openEmptyWindow": openCommand(() => ({
      folder: "none",
      openIn: settings().openIn,
    })),

    async "guesthouse.openMachineFolder"(...args) {
      const machine = await chosen(args, l10n.t("Open Folder in VM"));
      if (machine === undefined) return;
      const path = await window.showInputBox({
        title: l10n.t("Open Folder in {0}", machine.name),
        prompt: l10n.t("Folder in the guest."),
        value: machine.folder?.guest ?? machine.home,
        validateInput: (text) =>
          isWholePath(text, machine.os)
            ? undefined
            : machine.os === "windows"
              ? l10n.t("Give the whole path, beginning with a drive.")
              : l10n.t("Give the whole path, beginning with a slash."),
      });
      if (path === undefined) return;
      await open(machine, { folder: { path }, openIn: settings().openIn });
    },

    async "guesthouse.sshInTerminal"(...args) {
      const machine = await chosen(args, l10n.t("SSH in Terminal"));
      if (machine === undefined) return;
      const { name, id } = machine;
      if (machine.state.kind !== "running")
        await withCancellableProgress(
          l10n.t("Starting {0}", name),
          (report, signal) => makeReady(id, report, signal),
        );
      const { access } = await about({ kind: "machine", id }, () =>
        call("ssh.access", { machine: id }),
      );
      openProgram(name, access.command);
    },

    async "guesthouse.copySshCommand"(...args) {
      const machine = await chosen(args, l10n.t("Copy SSH Command"));
      if (machine === undefined) return;
      const { access } = await about({ kind: "machine", id: machine.id }, () =>
        call("ssh.access", { machine: machine.id }),
      );
      const command = access.included ? ["ssh", access.alias] : access.command;
      const text = quoted(command, process.platform);
      await env.clipboard.writeText(text);
      window.setStatusBarMessage(l10n.t("$(check) Copied: {0}", text), 4_000);
    },
  };
}
