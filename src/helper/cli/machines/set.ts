import { given } from "../../../base/given.ts";
import type { Command } from "commander";
import {
  gibOption,
  integerOption,
  mebibytesOption,
} from "../terminal/options.ts";
import { withHelper } from "../terminal/session.ts";

import { showText } from "./text.ts";

interface SetFlags {
  readonly json?: boolean;
  readonly cpus?: number;
  readonly memory?: number;
  readonly disk?: number;
  readonly agentForwarding?: boolean;
  readonly hostLoopback?: boolean;
  readonly screen?: boolean;
  readonly name?: string;
  readonly inGuest?: boolean;
}

export function addSetCommand(program: Command): void {
  program
    .command("set")
    .argument("<name>")
    .description("change a stopped machine, or rename any")
    .option("-c, --cpus <count>", "virtual processors", integerOption)
    .option("-m, --memory <size>", "memory", mebibytesOption)
    .option("-d, --disk <size>", "disk; grows only", gibOption)
    .option("-A, --agent-forwarding", "let it use this host's SSH agent")
    .option("--no-agent-forwarding", "keep it from this host's SSH agent")
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
            agentForwarding: flags.agentForwarding,
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
}
