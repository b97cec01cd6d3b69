import type { Command } from "commander";
import type { Machine } from "../../protocol/machines.ts";
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
    ["NAME", "STATE", "CPUS", "MEMORY", "DISK", "IMAGE", "SSH"],
    ...machines.map((machine) => [
      machine.name,
      machine.state.kind,
      String(machine.cpus),
      `${String(machine.memoryMiB)} MiB`,
      `${String(machine.diskGiB)} GiB`,
      `${machine.image.name}${machine.image.stale ? " (outdated)" : ""}`,
      `ssh ${machine.alias}`,
    ]),
  ]);
}

/** Everything about one machine, a line each. */
export function showText(machine: Machine): string {
  const { runtime } = machine;
  return table([
    ["name", machine.name],
    ["state", machine.state.kind],
    ["image", `${machine.image.name} ${machine.image.digest.slice(0, 19)}`],
    ["processors", String(machine.cpus)],
    ["memory", `${String(machine.memoryMiB)} MiB`],
    ["disk", `${String(machine.diskGiB)} GiB`],
    ["user", machine.user],
    ["ssh", `ssh ${machine.alias}`],
    ...(runtime === undefined
      ? []
      : [
          [
            "accelerator",
            `${runtime.accelerator} (${runtime.acceleratorReason})`,
          ],
          [
            "network",
            `${runtime.network.backend} (${runtime.network.hostLoopbackReachable ? "the guest can reach" : "the guest can't reach"} this host's loopback)`,
          ],
          ["process", String(runtime.pid)],
          ...runtime.forwards.map(({ hostPort, guestPort }) => [
            "forward",
            `127.0.0.1:${String(hostPort)} → ${String(guestPort)}`,
          ]),
        ]),
    ...machine.boot.map(({ stage, atMs }) => [`  ${stage}`, seconds(atMs)]),
    ["log", machine.logPath],
  ]);
}
