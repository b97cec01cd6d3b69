import type { Command } from "commander";
import {
  forwardOption,
  gibOption,
  integerOption,
  mebibytesOption,
} from "./options.ts";
import { showText, stateText } from "./inspect.ts";
import { withHelper } from "./session.ts";
import { given, type WaitFlags, waiting, watchMachine } from "./waiting.ts";

/** Commands that change machines: create, start, stop, set, delete, … */
export function addMachineCommands(program: Command): void {
  program
    .command("create")
    .argument("[name]", "lower-case letters, digits, hyphens")
    .description("clone an image into a new machine and start it")
    .option("-i, --image <image>", "image to clone", "debian-12")
    .option("-c, --cpus <count>", "virtual processors", integerOption)
    .option("-m, --memory <size>", "memory, e.g. 2G or 1536M", mebibytesOption)
    .option("-d, --disk <size>", "disk, e.g. 20G", gibOption)
    .option("-u, --user <name>", "user in the guest")
    .option(
      "-p, --forward <host:guest>",
      "forward a loopback port (repeatable)",
      forwardOption,
      [],
    )
    .option(
      "-A, --agent-forwarding",
      "offer this host's ssh agent to the guest",
    )
    .option(
      "--host-loopback",
      "let it reach servers on this host's loopback address",
    )
    .option("--screen", "give it a display, a keyboard and a pointer")
    .option("--cold", "boot it even where a warm template could be resumed")
    .option("--no-start", "leave it stopped")
    .option("--no-wait", "answer as soon as it has been started")
    .option(
      "--timeout <seconds>",
      "how long to wait for the guest",
      integerOption,
    )
    .option("--json", "print JSON")
    .action(async (name: string | undefined, flags: CreateFlags) =>
      withHelper(
        flags,
        async (session) => {
          watchMachine(session, name);
          const { machine } = await session.client.call(
            "machines.create",
            {
              image: flags.image,
              start: flags.start,
              ...waiting(flags),
              ...given({
                name,
                cpus: flags.cpus,
                memoryMiB: flags.memory,
                diskGiB: flags.disk,
                user: flags.user,
                agentForwarding: flags.agentForwarding,
                hostLoopback: flags.hostLoopback,
                screen: flags.screen,
                warm: flags.cold === true ? false : undefined,
              }),
              forwards: flags.forward,
            },
            session.signal,
          );
          return machine;
        },
        (machine) =>
          machine.state.kind === "running"
            ? `${machine.name} is running. ssh ${machine.alias}`
            : `${machine.name} is ${machine.state.kind}.`,
      ),
    );

  for (const verb of ["start", "restart"] as const) {
    const command = program.command(verb).argument("<name>");
    if (verb === "start")
      command.option(
        "--cold",
        "boot it although a saved state waits, which is thrown away",
      );
    command
      .description(`${verb} a machine`)
      .option("--no-wait", "answer as soon as it has been started")
      .option(
        "--timeout <seconds>",
        "how long to wait for the guest",
        integerOption,
      )
      .option("--json", "print JSON")
      .action(async (name: string, flags: WaitFlags & { cold?: boolean }) =>
        withHelper(
          flags,
          async (session) => {
            watchMachine(session, name);
            const params = {
              machine: name,
              ...waiting(flags),
              ...(flags.cold === true ? { discardState: true } : {}),
            };
            return (
              await session.client.call(
                `machines.${verb}`,
                params,
                session.signal,
              )
            ).machine;
          },
          (machine) => `${machine.name} is ${machine.state.kind}.`,
        ),
      );
  }

  program
    .command("stop")
    .argument("<name>")
    .description("shut a machine down")
    .option("-f, --force", "don't ask the guest")
    .option("--grace <seconds>", "how long the guest may take", integerOption)
    .option("--json", "print JSON")
    .action(
      async (
        name: string,
        flags: { json?: boolean; force?: boolean; grace?: number },
      ) =>
        withHelper(
          flags,
          async (session) => {
            watchMachine(session, name);
            return session.client.call(
              "machines.stop",
              {
                machine: name,
                ...given({
                  force: flags.force,
                  graceMs:
                    flags.grace === undefined ? undefined : flags.grace * 1000,
                }),
              },
              session.signal,
            );
          },
          ({ machine, how }) =>
            how === "alreadyStopped"
              ? `${machine.name} was stopped already.`
              : `${machine.name} is stopped (${how}).`,
        ),
    );

  for (const [verb, description] of [
    ["pause", "pause a machine"],
    ["resume", "resume a paused machine; start wakes a suspended one"],
    ["suspend", "keep a machine's memory on disk and end its process"],
  ] as const)
    program
      .command(verb)
      .argument("<name>")
      .description(description)
      .option("--json", "print JSON")
      .action(async (name: string, flags: { json?: boolean }) =>
        withHelper(
          flags,
          async ({ client, signal }) =>
            (await client.call(`machines.${verb}`, { machine: name }, signal))
              .machine,
          (machine) => `${machine.name} is ${stateText(machine)}.`,
        ),
      );

  program
    .command("set")
    .argument("<name>")
    .description("change a stopped machine, or rename any")
    .option("-c, --cpus <count>", "virtual processors", integerOption)
    .option("-m, --memory <size>", "memory", mebibytesOption)
    .option("-d, --disk <size>", "disk; grows only", gibOption)
    .option("--host-loopback", "let it reach this host's loopback address")
    .option("--no-host-loopback", "keep it from this host's loopback address")
    .option("--screen", "give it a display, a keyboard and a pointer")
    .option("--no-screen", "take its screen away")
    .option("--name <name>", "new name")
    .option(
      "--in-guest",
      "with --name: Windows in it takes the name, too, at its next restart",
    )
    .option("--json", "print JSON")
    .action(async (name: string, flags: SetFlags) =>
      withHelper(
        flags,
        async ({ client, signal }) => {
          const machine = name;
          const size = given({
            cpus: flags.cpus,
            memoryMiB: flags.memory,
            diskGiB: flags.disk,
            hostLoopback: flags.hostLoopback,
            screen: flags.screen,
          });
          // A new name alone is fine for a machine that runs.
          let answer =
            Object.keys(size).length > 0 || flags.name === undefined
              ? await client.call("machines.set", { machine, ...size }, signal)
              : await client.call("machines.show", { machine }, signal);
          if (flags.name !== undefined)
            answer = await client.call("machines.rename", {
              machine: answer.machine.id,
              name: flags.name,
              ...given({ inGuest: flags.inGuest }),
            });
          return answer.machine;
        },
        showText,
      ),
    );

  program
    .command("delete")
    .alias("rm")
    .argument("<names...>")
    .description("delete machines and their disks; boot logs stay")
    .option("--discard", "also with work in them that is nowhere else")
    .option("--json", "print JSON")
    .action(
      async (names: string[], flags: { json?: boolean; discard?: boolean }) =>
        withHelper(
          flags,
          async ({ client, signal }) => {
            const ids: string[] = [];
            const { discard } = flags;
            // A mistyped name deletes none of them.
            for (const machine of names)
              await client.call("machines.show", { machine }, signal);
            for (const machine of names) {
              const params = { machine, ...given({ discard }) };
              const { id } = await client.call(
                "machines.delete",
                params,
                signal,
              );
              ids.push(id);
            }
            return { deleted: names, ids };
          },
          ({ deleted }) => `Deleted ${deleted.join(", ")}.`,
        ),
    );
}

interface CreateFlags extends WaitFlags {
  readonly image: string;
  readonly cpus?: number;
  readonly memory?: number;
  readonly disk?: number;
  readonly user?: string;
  readonly agentForwarding?: boolean;
  readonly hostLoopback?: boolean;
  readonly screen?: boolean;
  readonly forward: { hostPort: number; guestPort: number; protocol: "tcp" }[];
  readonly start: boolean;
  readonly cold?: boolean;
}

interface SetFlags {
  readonly json?: boolean;
  readonly cpus?: number;
  readonly memory?: number;
  readonly disk?: number;
  readonly hostLoopback?: boolean;
  readonly screen?: boolean;
  readonly name?: string;
  readonly inGuest?: boolean;
}
