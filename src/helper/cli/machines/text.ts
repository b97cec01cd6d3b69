import { visible } from "../../../base/visible.ts";
import type { Forward } from "../../../protocol/forwards.ts";
import type {
  Machine,
  Checkpoint,
  StartWay,
} from "../../../protocol/machines.ts";
import type { Service } from "../../../protocol/containers.ts";
import { isAmiss, titleOfService } from "../../../protocol/serviceHealth.ts";
import { bytes, seconds, table } from "../terminal/format.ts";

/** What a command that made a machine prints. */
export const madeText = ({ name, state, alias }: Machine): string =>
  state.kind === "running"
    ? `${name} is running. ssh ${alias}`
    : `${name} is ${state.kind}.`;

/** The state's kind, or that a stopped machine's memory is kept. */
export const stateText = ({ state }: Machine): string =>
  state.kind === "stopped" && state.reason === "suspended"
    ? "suspended"
    : state.kind;

const wayTexts: Readonly<Record<StartWay, string>> = {
  cold: "cold boot",
  warm: "warm clone of a template, without a boot",
  fork: "copy of another machine's saved state, without a boot",
  restored: "its own saved state, without a boot",
};

const parentText = ({
  name,
  checkpoint,
}: NonNullable<Machine["parent"]>): string =>
  checkpoint === undefined ? name : `${name}, from checkpoint ${checkpoint}`;

function problemRows({ state }: Machine): string[][] {
  if (!("failure" in state) || state.failure === undefined) return [];
  const { message, remedy } = state.failure;
  return [
    ["problem", message],
    ...(remedy === undefined ? [] : [["remedy", remedy]]),
  ];
}

/** What a clone of Windows has in common with others, and nothing of ours changes. */
const sharedText = ({ parent }: Machine): string =>
  `Windows' security identifier (SID) and computer name with other machines of its image${parent === undefined ? "" : `, what is in its TPM with ${parent.name}`}; Kerberos and NTLM between them take them for one`;

/** Where a forward is found on this computer; a link where its folder's file says what speaks there. */
const addressText = ({ hostPort, scheme }: Forward): string =>
  scheme === undefined
    ? `127.0.0.1:${String(hostPort)}`
    : linkText({ hostPort, scheme });

/** `https://localhost:3000` */
export const linkText = ({
  hostPort,
  scheme = "http",
}: Pick<Forward, "hostPort" | "scheme">): string =>
  `${scheme}://localhost:${String(hostPort)}`;

/** What a forward leads to: `3000`, `db:5432 (Database)`. */
export const forwardText = ({ guestPort, host, label }: Forward): string =>
  [
    ...(host === undefined ? [] : [visible(host), ":"]),
    String(guestPort),
    ...(label === undefined ? [] : [` (${visible(label)})`]),
  ].join("");

/** A machine with what runs in it, where that is a dev container. */
export type ShownMachine = Machine & {
  readonly services?: readonly Service[];
  /** Why they aren't known. */
  readonly servicesUnknown?: string;
};

/** `running, healthy`, `exited (137)`. */
const conditionText = ({ state, exitCode, health }: Service): string =>
  [
    state === "running" || exitCode === undefined
      ? state
      : `${state} (${String(exitCode)})`,
    ...(health === undefined ? [] : [health]),
  ].join(", ");

function serviceRows({ services, servicesUnknown }: ShownMachine): string[][] {
  if (servicesUnknown !== undefined)
    return [["services", `not known: ${servicesUnknown}`]];
  return (services ?? []).map((service) => [
    "service",
    [
      titleOfService(service),
      `${conditionText(service)}${isAmiss(service) ? " (!)" : ""}`,
      service.image,
      ...(service.service === undefined ? [] : [service.name]),
      ...(service.devContainer ? ["dev container"] : []),
    ]
      .map(visible)
      .join(" · "),
  ]);
}

/** Everything about one machine, a line each. */
export function showText(machine: ShownMachine): string {
  const { runtime, parent, suspended } = machine;
  return table([
    ["name", machine.name],
    ["state", stateText(machine)],
    ...problemRows(machine),
    ...(suspended === undefined
      ? []
      : [["suspended", `${suspended.at}, ${bytes(suspended.sizeBytes)}`]]),
    ["image", `${machine.image.name} ${machine.image.digest.slice(0, 19)}`],
    ["generation", String(machine.generation)],
    ...(parent === undefined ? [] : [["parent", parentText(parent)]]),
    ["processors", String(machine.cpus)],
    ["memory", `${String(machine.memoryMiB)} MiB`],
    ["disk", `${String(machine.diskGiB)} GiB`],
    ...(machine.screen
      ? [["screen", runtime?.screenSocket ?? "none before it runs"]]
      : []),
    ["user", machine.user],
    ...(machine.os === "windows" ? [["shared", sharedText(machine)]] : []),
    ["ssh", `ssh ${machine.alias}`],
    ...(machine.container === undefined
      ? []
      : [
          [
            "VM itself",
            `ssh ${machine.container.vmAlias} (user ${machine.container.vmUser})`,
          ],
        ]),
    ...serviceRows(machine),
    ...(runtime === undefined
      ? []
      : [
          ["came up", wayTexts[runtime.way]],
          [
            "accelerator",
            `${runtime.accelerator} (${runtime.acceleratorReason})`,
          ],
          [
            "network",
            `${runtime.network.backend} (the guest ${runtime.network.hostLoopbackReachable ? "can" : "can't"} reach this host's loopback). ${runtime.network.reason}`,
          ],
          ["process", String(runtime.pid)],
          ...runtime.forwards.map((forward) => [
            "forward",
            `${addressText(forward)} → ${forwardText(forward)}`,
          ]),
        ]),
    ...machine.boot.map(({ stage, atMs }) => [`  ${stage}`, seconds(atMs)]),
    ...checkpointRows(machine.checkpoints).map((cells) => [
      "checkpoint",
      cells.join(" · "),
    ]),
    ["log", machine.logPath],
  ]);
}

/** Id, time, what it keeps, size, note. */
export const checkpointRows = (
  checkpoints: readonly Checkpoint[],
): string[][] =>
  checkpoints.map(({ id, createdAt, memory, sizeBytes, note, automatic }) => [
    id,
    createdAt,
    memory ? "memory and disk" : "disk",
    bytes(sizeBytes),
    [note, automatic ? "(automatic)" : ""]
      .filter((part) => part !== "")
      .join(" "),
  ]);
