import { l10n } from "vscode";
import type {
  BootStage,
  Machine,
  MachineState,
  MachineStateKind,
  StartWay,
} from "../../protocol/machines.ts";
import { bytesText, durationText, memoryText } from "./quantities.ts";
import type { Row } from "./rows.ts";

interface Look {
  readonly icon: string;
  readonly color?: string;
}

const spinning: Look = { icon: "loading~spin" };

/** `nowMs` is the time of the rendering; states carry the time at which they began. */
export function rowOf(machine: Machine, nowMs: number): Row {
  const parts = [stateText(machine.state)];
  const kind = gateOf(machine.state);
  if (kind === "suspended") parts.push(...suspendedSize(machine));
  else if (!isPassing(machine.state)) parts.push(resourcesText(machine));
  const since = sinceMsOf(machine.state);
  if (since !== undefined) parts.push(durationText(nowMs - since));
  if (machine.image.stale) parts.push(l10n.t("image outdated"));
  const description = parts.join(" · ");
  return {
    label: machine.name,
    description,
    ...lookOf(machine.state),
    context: `machine.${kind}`,
    spoken: `${machine.name}, ${parts.join(", ")}`,
  };
}

function suspendedSize({ suspended }: Machine): string[] {
  return suspended === undefined ? [] : [bytesText(suspended.sizeBytes)];
}

export const resourcesText = ({
  cpus,
  memoryMiB,
}: Pick<Machine, "cpus" | "memoryMiB">): string =>
  l10n.t("{0} CPU · {1}", cpus, memoryText(memoryMiB));

/** When the state began, for those whose age is of interest. */
export function sinceMsOf(state: MachineState): number | undefined {
  return "sinceMs" in state ? state.sinceMs : undefined;
}

/** True while the state passes by itself and its seconds are worth watching. */
export function isPassing(state: MachineState): boolean {
  switch (state.kind) {
    case "creating":
    case "starting":
    case "stopping":
    case "deleting":
      return true;
    case "running":
    case "unready":
    case "paused":
    case "stopped":
      return false;
  }
}

/** What menus and pickers tell apart: the state's kind, and whether a stopped machine's memory is kept. */
export type MachineGate = MachineStateKind | "suspended";

export const gateOf = (state: MachineState): MachineGate =>
  state.kind === "stopped" && state.reason === "suspended"
    ? "suspended"
    : state.kind;

function lookOf(state: MachineState): Look {
  switch (state.kind) {
    case "running":
      return { icon: "vm-running", color: "charts.green" };
    case "paused":
      if (state.failure !== undefined)
        return { icon: "warning", color: "list.warningForeground" };
      return { icon: "debug-pause", color: "charts.yellow" };
    case "unready":
      return { icon: "warning", color: "list.warningForeground" };
    case "stopped":
      if (endedBadly(state))
        return { icon: "error", color: "list.errorForeground" };
      return { icon: state.reason === "suspended" ? "save" : "vm-outline" };
    case "creating":
    case "starting":
    case "stopping":
    case "deleting":
      return spinning;
  }
}

const endedBadly = (state: MachineState & { kind: "stopped" }): boolean =>
  state.reason === "crashed" || state.reason === "startFailed";

export function stateText(state: MachineState): string {
  switch (state.kind) {
    case "creating":
      return l10n.t("creating: {0}", creatingStepText(state.step));
    case "starting":
      return l10n.t("starting: {0}", stageText(state.stage));
    case "running":
      return l10n.t("running");
    case "unready":
      return l10n.t("not reachable: {0}", stageText(state.diagnosis.stage));
    case "paused":
      return state.failure?.code === "host.diskFull"
        ? l10n.t("paused: the disk is full")
        : l10n.t("paused");
    case "stopping":
      return stoppingText(state.step);
    case "stopped":
      return stoppedText(state.reason);
    case "deleting":
      return l10n.t("being deleted");
  }
}

function creatingStepText(step: "image" | "disk" | "seed"): string {
  switch (step) {
    case "image":
      return l10n.t("image");
    case "disk":
      return l10n.t("disk");
    case "seed":
      return l10n.t("first-boot settings");
  }
}

export function stageText(stage: BootStage): string {
  switch (stage) {
    case "clone":
      return l10n.t("clone");
    case "resume":
      return l10n.t("saved state");
    case "handoff":
      return l10n.t("own identity");
    case "firmware":
      return l10n.t("firmware");
    case "kernel":
      return l10n.t("kernel");
    case "init":
      return l10n.t("services");
    case "cloud-init":
      return l10n.t("first-boot settings");
    case "sshd":
      return l10n.t("SSH");
    case "ready":
      return l10n.t("ready");
  }
}

function stoppingText(step: "shutdown" | "terminate" | "kill"): string {
  switch (step) {
    case "shutdown":
      return l10n.t("shutting down");
    case "terminate":
      return l10n.t("ending it");
    case "kill":
      return l10n.t("forcing it off");
  }
}

function stoppedText(
  reason: (MachineState & { kind: "stopped" })["reason"],
): string {
  switch (reason) {
    case "created":
    case "requested":
    case "guest":
      return l10n.t("stopped");
    case "suspended":
      return l10n.t("suspended");
    case "crashed":
      return l10n.t("ended unexpectedly");
    case "hostRestarted":
      return l10n.t("stopped by a restart of this computer");
    case "startFailed":
      return l10n.t("did not start");
  }
}

export const diskText = (machine: Machine): string =>
  bytesText(machine.diskGiB * 1024 ** 3);

/** How a machine came up. */
export function wayText(way: StartWay): string {
  switch (way) {
    case "cold":
      return l10n.t("cold boot");
    case "warm":
      return l10n.t("warm clone of a template, without a boot");
    case "fork":
      return l10n.t("copy of another VM's saved state, without a boot");
    case "restored":
      return l10n.t("its own saved state, without a boot");
  }
}
