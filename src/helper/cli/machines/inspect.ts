import type { Command } from "commander";
import { given } from "../../../base/given.ts";
import type { Machine } from "../../../protocol/machines.ts";
import { bytes, seconds, table } from "../terminal/format.ts";
import { withHelper } from "../terminal/session.ts";
import { type ShownMachine, showText, stateText } from "./text.ts";

/** Commands that only look: list, show, stats, diagnose. */
export function addInspectCommands(program: Command): void {
  addList(program);
  addShow(program);
  addStats(program);
  addDiagnose(program);
}

function addList(program: Command): void {
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
}

function addShow(program: Command): void {
  program
    .command("show")
    .argument("<name>")
    .description("show one machine, and the services in it")
    .option("--json", "print JSON")
    .action(async (name: string, flags: { json?: boolean }) =>
      withHelper(
        flags,
        async ({ client, signal }): Promise<ShownMachine> => {
          const { machine } = await client.call("machines.show", {
            machine: name,
          });
          if (machine.container === undefined) return machine;
          const { services, unknown } = await client.call(
            "containers.list",
            { machine: machine.id },
            signal,
          );
          return {
            ...machine,
            ...given({ services, servicesUnknown: unknown }),
          };
        },
        showText,
      ),
    );
}

function addStats(program: Command): void {
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
}

function addDiagnose(program: Command): void {
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
