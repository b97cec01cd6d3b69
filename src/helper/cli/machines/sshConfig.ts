import { resolve } from "node:path";
import type { Command } from "commander";
import { withHelper } from "../terminal/session.ts";

export function addSshConfigCommand(program: Command): void {
  program
    .command("ssh-config")
    .description("make `ssh gh-<name>` work everywhere, by one Include line")
    .option("--remove", "take the line back")
    .option("--file <path>", "ssh config to change, default ~/.ssh/config")
    .option("--json", "print JSON")
    .action(
      async (flags: { remove?: boolean; file?: string; json?: boolean }) =>
        withHelper(
          flags,
          ({ client, signal }) =>
            client.call(
              "ssh.include",
              {
                wanted: flags.remove !== true,
                ...(flags.file === undefined
                  ? {}
                  : { configFile: resolve(flags.file) }),
              },
              signal,
            ),
          ({ included, configFile }) =>
            included
              ? `${configFile} includes Guesthouse's machines.`
              : `${configFile} does not mention Guesthouse any more.`,
        ),
    );
}
