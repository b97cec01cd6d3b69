import type { Command } from "commander";
import type { Machine, StartWay } from "../../protocol/machines.ts";
import { checkpointRows } from "./checkpoints.ts";
import { bytes, seconds, table } from "./format.ts";
import { withHelper } from "./session.ts";

/** Commands that only look: list, show, stats, diagnose. */
export function addInspectCommands(program: Command): void {
  program
    .command("list")
    .alias("ls")
    .description("list the machines")
    .option("--json", "print JSON")
    .action(async (flags: { json?: boolean }) =>
      withHelper(
        flags,
        async ({ client }) => (await client.call("machines.list", {})).machines,
        listText,
      ),
    );

  program
    .command("show")
    .argument("<name>")
    .description("show one machine")
    .option("--json", "print JSON")
    .action(async (name: string, flags: { json?: boolean }) =>
      withHelper(
        flags,
        async ({ client }) =>
          (await client.call("machines.show", { machine: name })).machine,
        showText,
      ),
    );

  program
    .command("stats")
    .argument("<name>")
    .description("what a machine uses now")
    .option("--json", "print JSON")
    .action(async (name: string, flags: { json?: boolean }) =>
      withHelper(
        flags,
        async ({ client, signal }) =>
          (await client.call("machines.stats", { machine: name }, signal))
            .stats,
        (stats) =>
          table([
            ["processor", `${stats.cpuSeconds.toFixed(1)} s used`],
            [
              "memory",
              `${stats.memoryUsedMiB.toFixed(0)} of ${String(stats.memoryMiB)} MiB`,
            ],
            [
              "disk",
              `${bytes(stats.diskUsedBytes)} of ${bytes(stats.diskVirtualBytes)}`,
            ],
            ...(stats.network === undefined
              ? []
              : [
                  [
                    "network",
                    `${bytes(stats.network.sentBytes)} sent, ${bytes(stats.network.receivedBytes)} received`,
                  ],
                ]),
            ["up", seconds(stats.uptimeSeconds * 1000)],
          ]),
      ),
    );

  program
    .command("diagnose")
    .argument("<name>")
    .description("say what is wrong with a machine")
    .option("--json", "print JSON")
    .action(async (name: string, flags: { json?: boolean }) =>
      withHelper(
        flags,
        async ({ client, signal }) =>
          (await client.call("machines.diagnose", { machine: name }, signal))
            .diagnosis,
        (diagnosis) =>
          [
            diagnosis.hint,
            ...diagnosis.probes.map(
              ({ id, passed, required, detail }) =>
                `  ${passed ? "✓" : required ? "✗" : "–"} ${id}: ${detail}`,
            ),
          ].join("\n"),
      ),
    );
}

function listText(machines: readonly Machine[]): string {
  if (machines.length === 0)
    return "No machines yet. Make one with: guesthouse create";
  return table([
    [
      "NAME",
      "STATE",
      "WAY",
      "CPUS",
      "MEMORY",
      "DISK",
      "IMAGE",
      "GENERATION",
      "PARENT",
      "CHECKPOINTS",
      "SSH",
    ],
    ...machines.map((machine) => [
      machine.name,
      stateText(machine),
      machine.runtime?.way ?? "–",
      String(machine.cpus),
      `${String(machine.memoryMiB)} MiB`,
      `${String(machine.diskGiB)} GiB`,
      `${machine.image.name}${machine.image.stale ? " (outdated)" : ""}`,
      String(machine.generation),
      machine.parent?.name ?? "–",
      String(machine.checkpoints.length),
      `ssh ${machine.alias}`,
    ]),
  ]);
}

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

/** Everything about one machine, a line each. */
export function showText(machine: Machine): string {
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
          ...runtime.forwards.map(({ hostPort, guestPort }) => [
            "forward",
            `127.0.0.1:${String(hostPort)} → ${String(guestPort)}`,
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
