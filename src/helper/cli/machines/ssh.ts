import type { Command } from "commander";
import { inherit } from "../terminal/inherit.ts";
import { showMachine } from "../terminal/progress.ts";
import { withHelper } from "../terminal/session.ts";

export function addSshCommand(program: Command): void {
  program
    .command("ssh")
    .argument("<name>")
    .argument("[command...]", "run this instead of a shell; put -- before it")
    .option("--vm", "log in to the VM itself, not to its container")
    .description("log in, or run a command with its own streams and exit code")
    .action(async (name: string, command: string[], flags: { vm?: true }) => {
      let exitCode = 0;
      await withHelper(
        {},
        async ({ client, progress, signal }) => {
          client.onNotice("machines.changed", ({ machine }) => {
            if (machine.name === name || machine.alias === name)
              showMachine(progress, machine);
          });
          const { machine } = await client.call(
            "machines.start",
            { machine: name },
            signal,
          );
          const { access } = await client.call("ssh.access", { machine: name });
          progress.stop();
          exitCode = await inherit("ssh", [
            "-F",
            access.configFile,
            (flags.vm && machine.container?.vmAlias) ?? access.alias,
            ...(command.length === 0 ? [] : ["--", ...command]),
          ]);
        },
        () => undefined,
      );
      if (exitCode !== 0) process.exitCode = exitCode;
    });
}
