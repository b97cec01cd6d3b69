import { given } from "../../../base/given.ts";
import type { Command } from "commander";
import { integerOption } from "../terminal/options.ts";
import { withHelper } from "../terminal/session.ts";
import {
  addWaitOptions,
  type WaitFlags,
  waiting,
  watchMachine,
} from "../terminal/waiting.ts";
import { stateText } from "./text.ts";

/** `guesthouse start` and `restart`. */
export function addStartCommands(program: Command): void {
  for (const verb of ["start", "restart"] as const) {
    const command = program.command(verb).argument("<name>");
    if (verb === "start")
      command.option(
        "--cold",
        "boot it although a saved state waits, which is thrown away",
      );
    addWaitOptions(command.description(`${verb} a machine`)).action(
      async (name: string, flags: WaitFlags & { cold?: boolean }) =>
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
}

export function addStopCommand(program: Command): void {
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
}

/** `guesthouse pause`, `resume` and `suspend`. */
export function addPauseCommands(program: Command): void {
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
}
