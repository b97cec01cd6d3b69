import { env, l10n, window } from "vscode";
import type { Machine } from "../../protocol/machines.ts";
import type { Command, CommandsOf } from "../window/commandIds.ts";
import { about } from "../failures/about.ts";
import type { Call } from "../helper/connection.ts";
import { chooseOne, type ChooseMachines } from "../machines/choose.ts";
import type { MakeReady } from "../machines/ready.ts";
import { withCancellableProgress } from "../window/progress.ts";
import type { Settings } from "../window/settings.ts";
import { quoted } from "../window/shellQuoting.ts";
import { openProgram } from "../window/terminals.ts";
import { isWholePath } from "./address.ts";
import type { OpenMachine, OpenTarget } from "./open.ts";

export interface SshCommandDeps {
  readonly call: Call;
  readonly choose: ChooseMachines;
  readonly settings: () => Settings;
  readonly makeReady: MakeReady;
  readonly open: OpenMachine;
}

/** Commands that go into a guest. */
export function sshCommands(
  deps: SshCommandDeps,
): CommandsOf<
  | "guesthouse.openMachine"
  | "guesthouse.openMachineInNewWindow"
  | "guesthouse.openMachineInCurrentWindow"
  | "guesthouse.openEmptyWindow"
  | "guesthouse.openMachineFolder"
  | "guesthouse.sshInTerminal"
  | "guesthouse.copySshCommand"
> {
  const { choose, settings, open } = deps;
  const onChosen =
    (title: string, work: (machine: Machine) => Promise<void>): Command =>
    async (...args) => {
      const machine = await chooseOne(choose, args, { title });
      if (machine !== undefined) await work(machine);
    };
  const openCommand = (target: () => OpenTarget): Command =>
    onChosen(l10n.t("Open VM"), (machine) => open(machine, target()));

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
    "guesthouse.openMachineFolder": onChosen(
      l10n.t("Open Folder in VM"),
      (machine) => openFolder(deps, machine),
    ),
    "guesthouse.sshInTerminal": onChosen(l10n.t("SSH in Terminal"), (machine) =>
      logIn(deps, machine),
    ),
    "guesthouse.copySshCommand": onChosen(
      l10n.t("Copy SSH Command"),
      (machine) => copyCommand(deps, machine),
    ),
  };
}

async function openFolder(
  { settings, open }: SshCommandDeps,
  machine: Machine,
): Promise<void> {
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
}

async function logIn(
  { call, makeReady }: SshCommandDeps,
  { id, name, state }: Machine,
): Promise<void> {
  if (state.kind !== "running")
    await withCancellableProgress(
      l10n.t("Starting {0}", name),
      (report, signal) => makeReady(id, report, signal),
    );
  const { access } = await about({ kind: "machine", id }, () =>
    call("ssh.access", { machine: id }),
  );
  openProgram(name, access.command);
}

async function copyCommand(
  { call }: SshCommandDeps,
  { id }: Machine,
): Promise<void> {
  const { access } = await about({ kind: "machine", id }, () =>
    call("ssh.access", { machine: id }),
  );
  const command = access.included ? ["ssh", access.alias] : access.command;
  const text = quoted(command, process.platform);
  await env.clipboard.writeText(text);
  window.setStatusBarMessage(l10n.t("$(check) Copied: {0}", text), 4_000);
}
