import { given } from "../../../base/given.ts";
import type { Command } from "commander";
import { withHelper } from "../terminal/session.ts";

export function addDeleteCommand(program: Command): void {
  program
    .command("delete")
    .alias("rm")
    .argument("<names...>")
    .description("delete machines and their disks; boot logs stay")
    .option("--discard", "also with work in them that is nowhere else")
    .option("--json", "print JSON")
    .action(
      async (names: string[], flags: { json?: boolean; discard?: boolean }) =>
        withHelper(
          flags,
          async ({ client, signal }) => {
            const ids: string[] = [];
            const { discard } = flags;
            // A mistyped name deletes none of them.
            for (const machine of names)
              await client.call("machines.show", { machine }, signal);
            for (const machine of names) {
              const params = { machine, ...given({ discard }) };
              const { id } = await client.call(
                "machines.delete",
                params,
                signal,
              );
              ids.push(id);
            }
            return { deleted: names, ids };
          },
          ({ deleted }) => `Deleted ${deleted.join(", ")}.`,
        ),
    );
}
