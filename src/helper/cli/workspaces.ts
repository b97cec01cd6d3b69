import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { type CameUp } from "../../protocol/devcontainers.ts";
import { type FilesWay, filesWays } from "../../protocol/filesWays.ts";
import { inherit } from "./connect.ts";
import { seconds } from "./format.ts";
import { withHelper, type Session } from "./session.ts";
import {
  addPersonalOptions,
  type PersonalFlags,
  personalParams,
  addWishOptions,
  type WishFlags,
  wishParams,
} from "./upOptions.ts";
import { given, watchMachine } from "./waiting.ts";
import {
  addPlaceOptions,
  branchText,
  type Place,
  type PlaceFlags,
  placeOf,
} from "./workspacePlace.ts";

export const placeHelp = "or a repository's URL; default: this folder";
const discardHelp = "even if it holds work that is nowhere else";

/** Commands for a folder and the VM that belongs to it: up, exec, lock, down, rebuild. */
export function addWorkspaceCommands(program: Command): void {
  for (const [verb, description] of [
    ["up", "bring a folder's VM up as its devcontainer.json says"],
    ["rebuild", "delete a folder's VM, with all in it, and bring up a new one"],
  ] as const) {
    const command = program
      .command(verb)
      .argument("[folder]", placeHelp, ".")
      .description(description);
    addWishOptions(command)
      .option(
        verb === "up" ? "--no-prebuild" : "--no-cache",
        "make a new VM of the base image even where a prebuild fits",
      )
      .addOption(
        new Option(
          "--files <way>",
          "how the folder comes into a new VM; share lets the VM write to it",
        ).choices([...filesWays]),
      )
      .option("--json", "print JSON")
      .action(async (folder: string, flags: UpFlags) =>
        withHelper(
          flags,
          async (session) =>
            bringUp(
              verb,
              session,
              await placeOf(
                session,
                folder,
                flags,
                verb === "up" ? "clone" : "fetch",
              ),
              flags,
            ),
          upText,
        ),
      );
    addPlaceOptions(command).option(
      "--create-branch",
      "make the branch at HEAD, where there is none",
    );
    addPersonalOptions(command);
    if (verb === "rebuild") command.option("--discard", discardHelp);
  }

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

  program
    .command("lock")
    .argument("[folder]", "default: this one", ".")
    .description(
      "write down which versions of its features a folder uses, in its lockfile",
    )
    .option("--config <path>", "which devcontainer.json, by path or name")
    .option("--json", "print JSON")
    .action(async (folder: string, flags: LockFlags) =>
      withHelper(
        flags,
        ({ client, signal }) =>
          client.call(
            "workspaces.lock",
            { folder: resolve(folder), ...given({ config: flags.config }) },
            signal,
          ),
        ({ path, features }) =>
          [
            `${path} is written:`,
            ...features.map(
              ({ reference, version, resolved }) =>
                `  ${reference} is ${version ?? "a version without a number"}, ${resolved}`,
            ),
          ].join("\n"),
      ),
    );

  const down = program
    .command("down")
    .argument("[folder]", placeHelp, ".")
    .description("stop a folder's VM")
    .option("--delete", "delete it, with all that is in it")
    .option("--discard", discardHelp)
    .option("--json", "print JSON")
    .action(async (folder: string, flags: DownFlags) =>
      withHelper(
        flags,
        async (session) => {
          const { client, signal } = session;
          const place = await placeOf(session, folder, flags);
          const how = given({ delete: flags.delete, discard: flags.discard });
          const params = { ...place, ...how };
          return (await client.call("workspaces.down", params, signal))
            .workspace;
        },
        ({ alias, machine }) =>
          machine === undefined
            ? `${alias} is deleted.`
            : `${machine.name} is stopped.`,
      ),
    );
  addPlaceOptions(down);
}

interface ExecFlags extends PlaceFlags {
  readonly folder: string;
}
interface LockFlags {
  readonly config?: string;
  readonly json?: boolean;
}
interface DownFlags extends PlaceFlags {
  readonly json?: boolean;
  readonly delete?: boolean;
  readonly discard?: boolean;
}
interface UpFlags extends PlaceFlags, PersonalFlags, WishFlags {
  readonly json?: boolean;
  readonly discard?: boolean;
  readonly files?: FilesWay;
  /** False by `--no-prebuild` and `--no-cache`. */
  readonly prebuild?: boolean;
  readonly cache?: boolean;
}

async function bringUp(
  verb: "up" | "rebuild",
  session: Session,
  which: Place,
  flags: UpFlags,
): Promise<CameUp> {
  const { client, progress, signal } = session;
  const read = await client.call("workspaces.read", which, signal);
  const personal = await personalParams(flags, (sentence) =>
    progress.print(`${sentence}\n`),
  );
  watchMachine(session, read.workspace?.machine?.name);
  client.onNotice(
    "workspaces.changed",
    ({ workspace: { id, state, title } }) => {
      if (id === read.id && state.kind === "working")
        progress.show(`${title}: ${state.stage}`);
    },
  );
  printLogOf(session, read.id);
  return client.call(
    `workspaces.${verb}`,
    {
      ...which,
      ...personal,
      ...wishParams(read, flags),
      ...given({
        discard: flags.discard,
        files: flags.files,
        prebuild:
          flags.prebuild === false || flags.cache === false ? false : undefined,
      }),
    },
    signal,
  );
}

/** Prints whole lines of a log as they come. */
export function printLogOf({ client, progress }: Session, logId: string): void {
  let rest = "";
  client.onNotice("workspaces.logged", ({ id, text }) => {
    if (id !== logId) return;
    const end = `${rest}${text}`.lastIndexOf("\n") + 1;
    progress.print(`${rest}${text}`.slice(0, end));
    rest = `${rest}${text}`.slice(end);
  });
}

function upText({
  workspace,
  alias,
  remoteFolder,
  user,
  forwards,
  stages,
}: CameUp): string {
  const total = stages.reduce((sum, { tookMs }) => sum + tookMs, 0);
  return [
    `${workspace.title} is up after ${seconds(total)}: ${remoteFolder} as ${user} at ${alias}`,
    ...forwards.map(
      ({ hostPort, guestPort }) =>
        `  http://localhost:${String(hostPort)} → port ${String(guestPort)} of the guest`,
    ),
    `  guesthouse open ${alias} ${remoteFolder}    guesthouse exec -C ${workspace.folder}${branchText(workspace)} …`,
    ...(workspace.outdated === undefined
      ? []
      : [
          `  guesthouse rebuild ${workspace.folder}${branchText(workspace)}    takes up what the file says now`,
        ]),
  ].join("\n");
}
