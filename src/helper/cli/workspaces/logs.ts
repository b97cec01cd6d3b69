/* `guesthouse log`, or `logs`: a VM's boot log, or the log of a service in it. */
import { type Command, InvalidArgumentError } from "commander";
import { given } from "../../../base/given.ts";
import { refused } from "../../../protocol/failure.ts";
import { type LogFlags, printBootLog } from "../machines/log.ts";
import { exitCodes } from "../terminal/exitCodes.ts";
import { inherit } from "../terminal/inherit.ts";
import { type Session, withHelper } from "../terminal/session.ts";
import {
  addPlaceOptions,
  type PlaceFlags,
  placeHelp,
  placeOf,
} from "./place.ts";

interface LogsFlags extends LogFlags, PlaceFlags {
  readonly folder?: string;
}

export function addLogsCommand(program: Command): void {
  const logs = program
    .command("log")
    .alias("logs")
    .argument(
      "[name]",
      "VM, or the id of a deleted one; with -C the service follows instead",
    )
    .argument(
      "[service]",
      "print this service's log: a Compose service, or “container” for the dev container",
    )
    .description("print the boot log of a VM, or the log of a service in it")
    .option("-C, --folder <folder>", `the VM of a folder, ${placeHelp}`)
    .option("-f, --follow", "continue to print what is added; Ctrl-C ends it")
    .option("-n, --tail <lines>", "only the last lines of it", lineCount)
    .option("--json", "print JSON")
    .action(
      async (
        first: string | undefined,
        second: string | undefined,
        flags: LogsFlags,
      ) => {
        let exitCode: number = exitCodes.ok;
        await withHelper(
          flags,
          async (session) => {
            const of = await whichLog(session, [first, second], flags);
            if (of.service === undefined)
              return printBootLog(session, of.machine, flags);
            if (flags.json === true)
              throw refused(
                "request.invalid",
                "--json prints boot logs only, not the log of a service.",
                { remedy: "Leave it out." },
              );
            exitCode = await printServiceLog(
              session,
              { ...of, service: of.service },
              flags,
            );
            return undefined;
          },
          () => undefined,
        );
        if (exitCode !== 0) process.exitCode = exitCode;
      },
    );
  addPlaceOptions(logs);
}

function lineCount(text: string): number {
  if (!/^\d{1,7}$/.test(text))
    throw new InvalidArgumentError("expected a number of lines");
  return Number(text);
}

async function whichLog(
  session: Session,
  [first, second]: readonly [string | undefined, string | undefined],
  flags: LogsFlags,
): Promise<{ machine: string; service: string | undefined }> {
  if (flags.folder === undefined) {
    if (first === undefined)
      throw refused("request.invalid", "Whose log? No VM was named.", {
        remedy: "Give a VM's name, or a folder with -C.",
      });
    return { machine: first, service: second };
  }
  if (second !== undefined)
    throw refused(
      "request.invalid",
      "With -C there is one name at most, that of a service.",
      { remedy: "Leave out the VM's name, or -C." },
    );
  const place = await placeOf(session, flags.folder, flags);
  const { workspace } = await session.client.call(
    "workspaces.read",
    place,
    session.signal,
  );
  if (workspace?.machine === undefined)
    throw refused("workspaces.unknown", `${place.folder} has no VM.`, {
      remedy: "Run `guesthouse up` first.",
    });
  return { machine: workspace.machine.id, service: first };
}

/** Answers with the exit code. The command in the guest ends with its input, so Ctrl-C leaves nothing running there. */
async function printServiceLog(
  { client, progress, signal }: Session,
  of: { readonly machine: string; readonly service: string },
  { follow, tail }: LogsFlags,
): Promise<number> {
  const { alias, remoteCommand } = await client.call(
    "containers.logs",
    {
      ...of,
      ...given({ follow, lines: tail }),
    },
    signal,
  );
  const { access } = await client.call("ssh.access", { machine: alias });
  progress.stop();
  const code = await inherit(
    "ssh",
    ["-F", access.configFile, "-T", alias, "--", remoteCommand],
    "held",
  );
  return signal.aborted ? exitCodes.cancelled : code;
}
