import { given } from "../../../base/given.ts";
import type { Command } from "commander";
import { withHelper } from "../terminal/session.ts";

import {
  addPlaceOptions,
  discardHelp,
  type PlaceFlags,
  placeHelp,
  placeOf,
} from "./place.ts";

interface DownFlags extends PlaceFlags {
  readonly json?: boolean;
  readonly delete?: boolean;
  readonly discard?: boolean;
}

export function addDownCommand(program: Command): void {
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
