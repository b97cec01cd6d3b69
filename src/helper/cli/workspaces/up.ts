import { given } from "../../../base/given.ts";
import { type Command, Option } from "commander";
import type { CameUp } from "../../../protocol/workspaces.ts";
import { type FilesWay, filesWays } from "../../../protocol/filesWays.ts";
import { forwardText, linkText } from "../machines/text.ts";
import { seconds } from "../terminal/format.ts";
import { type Session, withHelper } from "../terminal/session.ts";
import { watchMachine } from "../terminal/waiting.ts";
import { printLogOf } from "./log.ts";
import {
  addPlaceOptions,
  branchText,
  discardHelp,
  type Place,
  type PlaceFlags,
  placeHelp,
  placeOf,
} from "./place.ts";
import {
  addPersonalOptions,
  type PersonalFlags,
  personalParams,
  addWishOptions,
  type WishFlags,
  wishParams,
} from "./upOptions.ts";

interface UpFlags extends PlaceFlags, PersonalFlags, WishFlags {
  readonly json?: boolean;
  readonly discard?: boolean;
  readonly container?: boolean;
  readonly files?: FilesWay;
  /** False by `--no-prebuild` and `--no-cache`. */
  readonly prebuild?: boolean;
  readonly cache?: boolean;
}

/** `guesthouse up` and `rebuild`: a folder's VM, or a new one. */
export function addUpCommands(program: Command): void {
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
    if (verb === "rebuild")
      command
        .option("--discard", discardHelp)
        .option("--container", "replace the container only, and keep the VM");
  }
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
  const keepsVm = flags.container === true;
  return client.call(
    `workspaces.${keepsVm ? "up" : verb}`,
    {
      ...which,
      ...personal,
      ...wishParams(read, flags),
      ...given({
        discard: keepsVm ? undefined : flags.discard,
        container: keepsVm ? ("fresh" as const) : undefined,
        files: flags.files,
        prebuild:
          flags.prebuild === false || flags.cache === false ? false : undefined,
      }),
    },
    signal,
  );
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
      (forward) => `  ${linkText(forward)} → port ${forwardText(forward)}`,
    ),
    `  guesthouse open ${alias} ${remoteFolder}    guesthouse exec -C ${workspace.folder}${branchText(workspace)} …`,
    ...(workspace.outdated === undefined
      ? []
      : [
          `  guesthouse rebuild ${workspace.rebuild === "container" ? "--container " : ""}${workspace.folder}${branchText(workspace)}    takes up what the file says now`,
        ]),
  ].join("\n");
}
