import { l10n } from "vscode";
import type { Forward } from "../../protocol/forwards.ts";
import type {
  Checkpoint,
  Machine,
  MachineStats,
} from "../../protocol/machines.ts";
import { textOf } from "../failures/remedies.ts";
import { code, escaped, type Fact, factTable } from "../rows/markdown.ts";
import {
  bytesText,
  durationText,
  memoryText,
  timeText,
} from "../rows/quantities.ts";
import {
  diskText,
  resourcesText,
  stageText,
  stateText,
  wayText,
} from "../rows/machine.ts";

/** The long form of a row, as Markdown. */
export function machineTooltip(
  machine: Machine,
  nowMs: number,
  stats?: MachineStats,
): string {
  const lines: string[] = [
    `**${escaped(machine.name)}** — ${stateText(machine.state)}`,
  ];
  const problem = problemOf(machine);
  if (problem !== undefined) lines.push(`$(warning) ${escaped(problem)}`);
  lines.push(factTable([...factsOf(machine, nowMs), ...usageOf(stats)]));
  return lines.join("\n\n");
}

function factsOf(machine: Machine, nowMs: number): Fact[] {
  const { image, runtime, boot, folder, suspended, checkpoints } = machine;
  const facts: Fact[] = [
    [
      l10n.t("Resources"),
      `${resourcesText(machine)} · ${l10n.t("{0} disk", diskText(machine))}`,
    ],
    [
      l10n.t("Image"),
      image.stale
        ? l10n.t("{0} (outdated: new VMs get a newer one)", code(image.name))
        : code(image.name),
    ],
    [l10n.t("Generation"), generationText(machine)],
    ["SSH", code(`ssh ${machine.alias}`)],
    [l10n.t("User"), code(machine.user)],
    ...sharedFacts(machine),
  ];
  if (folder !== undefined) facts.push([l10n.t("Folder"), code(folder.guest)]);
  if (suspended !== undefined)
    facts.push([
      l10n.t("Suspended"),
      `${escaped(timeText(suspended.at))} · ${l10n.t("{0} on disk", bytesText(suspended.sizeBytes))}`,
    ]);
  if (checkpoints.length > 0)
    facts.push([
      l10n.t("Checkpoints"),
      `${String(checkpoints.length)} · ${l10n.t("{0} on disk", bytesText(totalOf(checkpoints)))}`,
    ]);
  if (runtime !== undefined) {
    facts.push(
      [l10n.t("Came up by"), wayText(runtime.way)],
      [l10n.t("Address"), code(`127.0.0.1:${String(runtime.sshPort)}`)],
      [l10n.t("Up for"), durationText(nowMs - runtime.startedAtMs)],
      [
        l10n.t("Acceleration"),
        `${runtime.accelerator.toUpperCase()} — ${escaped(runtime.acceleratorReason)}`,
      ],
      [l10n.t("Network"), networkText(runtime.network)],
    );
    const ports = runtime.forwards.map(portText).join(", ");
    if (ports !== "") facts.push([l10n.t("Ports"), ports]);
  }
  const booted = boot.at(-1);
  if (booted !== undefined)
    facts.push([
      l10n.t("Newest boot"),
      boot
        .map(({ stage, atMs }) => `${stageText(stage)} ${seconds(atMs)}`)
        .join(" · "),
    ]);
  return facts;
}

/** `8080 → web:80 (Shop)`; what speaks HTTP is a link. */
export function portText({
  hostPort,
  guestPort,
  host,
  label,
  scheme,
}: Forward): string {
  const here =
    scheme === undefined
      ? String(hostPort)
      : `[${String(hostPort)}](${scheme}://localhost:${String(hostPort)}/)`;
  const there =
    host === undefined
      ? String(guestPort)
      : escaped(`${host}:${String(guestPort)}`);
  const named = label === undefined ? "" : ` (${escaped(label)})`;
  return `${here} → ${there}${named}`;
}

/** What a clone of Windows has in common with others, and nothing of ours changes. */
function sharedFacts({ os, parent }: Machine): Fact[] {
  if (os !== "windows") return [];
  return [
    [
      l10n.t("Shared"),
      parent === undefined
        ? l10n.t(
            "SID and computer name, with other VMs of its image (matters for Kerberos and NTLM between them)",
          )
        : l10n.t(
            "SID and computer name, with other VMs of its image, and the TPM's contents, with {0} (matters for Kerberos and NTLM between them)",
            code(parent.name),
          ),
    ],
  ];
}

/** `0`, `2, forked from web`, `3, branched from web`. */
function generationText({ generation, parent }: Machine): string {
  if (parent === undefined) return String(generation);
  const name = code(parent.name);
  return parent.checkpoint === undefined
    ? l10n.t("{0}, forked from {1}", generation, name)
    : l10n.t("{0}, branched from a checkpoint of {1}", generation, name);
}

const totalOf = (checkpoints: readonly Checkpoint[]): number =>
  checkpoints.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

/** What the machine takes of this computer right now. */
function usageOf(stats: MachineStats | undefined): Fact[] {
  if (stats === undefined) return [];
  const { cpuShare, memoryUsedMiB, diskUsedBytes } = stats;
  const parts = [
    ...(cpuShare === undefined
      ? []
      : [l10n.t("{0} % CPU", Math.round(cpuShare * 100))]),
    l10n.t("{0} memory", memoryText(memoryUsedMiB)),
    l10n.t("{0} on disk", bytesText(diskUsedBytes)),
  ];
  return [[l10n.t("Takes now"), parts.join(" · ")]];
}

function networkText(
  network: NonNullable<Machine["runtime"]>["network"],
): string {
  const text = network.hostLoopbackReachable
    ? l10n.t(
        "{0}; the guest can reach services on this computer's loopback address",
        network.backend,
      )
    : l10n.t(
        "{0}; cut off from this computer's loopback address",
        network.backend,
      );
  return `${text} — ${escaped(network.reason)}`;
}

function problemOf({ state }: Machine): string | undefined {
  switch (state.kind) {
    case "unready":
      return state.diagnosis.hint;
    case "stopped":
    case "paused":
      return state.failure === undefined ? undefined : textOf(state.failure);
    case "creating":
    case "starting":
    case "running":
    case "stopping":
    case "deleting":
      return undefined;
  }
}

const seconds = (milliseconds: number): string =>
  l10n.t("{0} s", (milliseconds / 1000).toFixed(1));
