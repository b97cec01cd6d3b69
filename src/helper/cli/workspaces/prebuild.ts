import { given } from "../../../base/given.ts";
import type { Command } from "commander";
import type { Result } from "../../../protocol/contract.ts";
import { bytes, seconds } from "../terminal/format.ts";
import { type Session, withHelper } from "../terminal/session.ts";
import { watchMachine } from "../terminal/waiting.ts";
import { printLogOf } from "./log.ts";
import { addWishOptions, type WishFlags, wishParams } from "./upOptions.ts";
import {
  addPlaceOptions,
  type Place,
  type PlaceFlags,
  placeHelp,
  placeOf,
} from "./place.ts";

interface PrebuildFlags extends PlaceFlags, WishFlags {
  readonly json?: boolean;
  readonly force?: boolean;
}

/** `guesthouse prebuild`: an image of what a folder's VM is before anybody works in it. */
export function addPrebuildCommand(program: Command): void {
  const command = program
    .command("prebuild")
    .argument("[folder]", placeHelp, ".")
    .description(
      "make an image of a folder's VM after updateContentCommand, which up then clones",
    )
    .option("-f, --force", "make it again although it is here")
    .option("--json", "print JSON")
    .action(async (folder: string, flags: PrebuildFlags) =>
      withHelper(
        flags,
        async (session) =>
          prebuild(
            session,
            await placeOf(session, folder, flags, "clone"),
            flags,
          ),
        prebuildText,
      ),
    );
  addWishOptions(addPlaceOptions(command));
}

type Prebuilt = Result<"prebuilds.make">;

async function prebuild(
  session: Session,
  which: Place,
  flags: PrebuildFlags,
): Promise<Prebuilt> {
  const { client, progress, signal } = session;
  const read = await client.call("workspaces.read", which, signal);
  let log: string | undefined;
  watchMachine(session, undefined);
  client.onNotice("prebuilds.progress", ({ logId, stage, fraction }) => {
    if (log === undefined) printLogOf(session, logId);
    log = logId;
    progress.show(
      `prebuild: ${stage}`,
      fraction === undefined ? "" : `${String(Math.floor(fraction * 100))} %`,
    );
  });
  return client.call(
    "prebuilds.make",
    {
      ...which,
      ...wishParams(read, flags),
      ...given({ force: flags.force }),
    },
    signal,
  );
}

function prebuildText({ image, made, stages }: Prebuilt): string {
  const total = stages.reduce((sum, { tookMs }) => sum + tookMs, 0);
  const size = bytes(image.sizeBytes ?? 0);
  return [
    made
      ? `${image.name} (${size}) was made in ${seconds(total)}; guesthouse up clones it.`
      : `${image.name} (${size}) is here already, of the same file and content; --force makes it anew.`,
    `  guesthouse image export ${image.name} FILE    to use it elsewhere`,
  ].join("\n");
}
