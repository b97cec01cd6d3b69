import { resolve } from "node:path";
import type { Command } from "commander";
import type { CameUp } from "../../protocol/devcontainers.ts";
import { inherit } from "./connect.ts";
import { seconds } from "./format.ts";
import { withHelper, type Session } from "./session.ts";
import {
  addPersonalOptions,
  type PersonalFlags,
  personalParams,
} from "./upOptions.ts";
import { given, watchMachine } from "./waiting.ts";

const discardHelp = "even if it holds work that is nowhere else";

/** Commands for a folder and the VM that belongs to it: up, exec, down, rebuild. */
export function addWorkspaceCommands(program: Command): void {
  for (const [verb, description] of [
    ["up", "bring a folder's VM up as its devcontainer.json says"],
    ["rebuild", "delete a folder's VM, with all in it, and bring up a new one"],
  ] as const) {
    const command = program
      .command(verb)
      .argument("[folder]", "default: this one", ".")
      .description(description)
      .option("--config <path>", "which devcontainer.json, by path or name")
      .option("-i, --image <image>", "image to clone, instead of the file's")
      .option("--trust", "run the file's initializeCommand on this computer")
      .option("--skip-initialize", "go on without its initializeCommand")
      .option("--cold", "boot it even where a warm template could be resumed")
      .option("--json", "print JSON")
      .action(async (folder: string, flags: UpFlags) =>
        withHelper(
          flags,
          (session) => bringUp(verb, session, resolve(folder), flags),
          upText,
        ),
      );
    addPersonalOptions(command);
    if (verb === "rebuild") command.option("--discard", discardHelp);
  }

  program
    .command("exec")
    .argument("<command...>", "and its arguments")
    .description(
      "run a command in a folder's VM, in the workspace and its environment",
    )
    .option("-C, --folder <folder>", "default: this one", ".")
    .option("--config <path>", "which devcontainer.json, by path or name")
    .passThroughOptions()
    .action(async (command: string[], flags: ExecFlags) => {
      let exitCode = 0;
      await withHelper(
        {},
        async (session) => {
          const { client, progress, signal } = session;
          const { alias, remoteCommand } = await client.call(
            "workspaces.exec",
            { ...whichOf(resolve(flags.folder), flags), command },
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

  program
    .command("down")
    .argument("[folder]", "default: this one", ".")
    .description("stop a folder's VM")
    .option("--config <path>", "which devcontainer.json, by path or name")
    .option("--delete", "delete it, with all that is in it")
    .option("--discard", discardHelp)
    .option("--json", "print JSON")
    .action(async (folder: string, flags: DownFlags) =>
      withHelper(
        flags,
        async ({ client, signal }) =>
          (
            await client.call(
              "workspaces.down",
              {
                ...whichOf(resolve(folder), flags),
                ...given({ delete: flags.delete, discard: flags.discard }),
              },
              signal,
            )
          ).workspace,
        ({ alias, machine }) =>
          machine === undefined
            ? `${alias} is deleted.`
            : `${machine.name} is stopped.`,
      ),
    );
}

interface WhichFlags {
  readonly config?: string;
}
interface ExecFlags extends WhichFlags {
  readonly folder: string;
}
interface DownFlags extends WhichFlags {
  readonly json?: boolean;
  readonly delete?: boolean;
  readonly discard?: boolean;
}
interface UpFlags extends WhichFlags, PersonalFlags {
  readonly json?: boolean;
  readonly image?: string;
  readonly trust?: boolean;
  readonly skipInitialize?: boolean;
  readonly cold?: boolean;
  readonly discard?: boolean;
}

const whichOf = (
  folder: string,
  { config }: WhichFlags,
): { folder: string; config?: string } => ({
  folder,
  ...(config === undefined ? {} : { config }),
});

async function bringUp(
  verb: "up" | "rebuild",
  session: Session,
  folder: string,
  flags: UpFlags,
): Promise<CameUp> {
  const { client, progress, signal } = session;
  const which = whichOf(folder, flags);
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
  let rest = "";
  client.onNotice("workspaces.logged", ({ id, text }) => {
    if (id !== read.id) return;
    const end = `${rest}${text}`.lastIndexOf("\n") + 1;
    progress.print(`${rest}${text}`.slice(0, end));
    rest = `${rest}${text}`.slice(end);
  });
  return client.call(
    `workspaces.${verb}`,
    {
      ...which,
      ...personal,
      digest: read.digest,
      // The helper may have been started from elsewhere: these are the variables of this terminal.
      localEnv: given(
        Object.fromEntries(
          read.localVariables.map((name) => [name, process.env[name]]),
        ),
      ) as Record<string, string>,
      ...given({
        image: flags.image,
        initialize: initializeOf(flags),
        warm: flags.cold === true ? false : undefined,
        discard: flags.discard,
      }),
    },
    signal,
  );
}

const initializeOf = (flags: UpFlags): "run" | "skip" | undefined =>
  flags.skipInitialize === true
    ? "skip"
    : flags.trust === true
      ? "run"
      : undefined;

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
    `  guesthouse open ${alias} ${remoteFolder}    guesthouse exec -C ${workspace.folder} …`,
  ].join("\n");
}
