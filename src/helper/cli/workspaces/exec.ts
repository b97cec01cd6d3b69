import type { Command } from "commander";
import { inherit } from "../terminal/inherit.ts";
import { withHelper } from "../terminal/session.ts";
import {
  addPlaceOptions,
  type PlaceFlags,
  placeHelp,
  placeOf,
} from "./place.ts";

interface ExecFlags extends PlaceFlags {
  readonly folder: string;
}

export function addExecCommand(program: Command): void {
  const exec = program
    .command("exec")
    .argument("<command...>", "and its arguments")
    .description(
      "run a command in a folder's VM, in the workspace and its environment",
    )
    .option("-C, --folder <folder>", placeHelp, ".")
    .passThroughOptions()
    .action(async (command: string[], flags: ExecFlags) => {
      let exitCode = 0;
      await withHelper(
        {},
        async (session) => {
          const { client, progress, signal } = session;
          const { alias, remoteCommand } = await client.call(
            "workspaces.exec",
            { ...(await placeOf(session, flags.folder, flags)), command },
            signal,
          );
          const { access } = await client.call("ssh.access", {
            machine: alias,
          });
          progress.stop();
          exitCode = await inherit("ssh", [
            ...["-F", access.configFile],
            // A program that talks to a terminal gets one.
            ...(process.stdin.isTTY && process.stdout.isTTY ? ["-t"] : []),
            ...[access.alias, "--", remoteCommand],
          ]);
        },
        () => undefined,
      );
      if (exitCode !== 0) process.exitCode = exitCode;
    });
  addPlaceOptions(exec);
}
