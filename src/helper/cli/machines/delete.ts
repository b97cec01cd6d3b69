import { given } from "../../../base/given.ts";
import type { Command } from "commander";
import type { Machine } from "../../../protocol/machines.ts";
import { askForYes, isAskable } from "../terminal/ask.ts";
import { withHelper } from "../terminal/session.ts";

interface Flags {
  readonly json?: boolean;
  readonly discard?: boolean;
  readonly yes?: boolean;
}

export function addDeleteCommand(program: Command): void {
  program
    .command("delete")
    .alias("rm")
    .argument("<names...>")
    .description("delete machines and their disks; boot logs stay")
    .option("--discard", "also with work in them that is nowhere else")
    .option("-y, --yes", "don't ask, on a terminal")
    .option("--json", "print JSON")
    .action(async (names: string[], flags: Flags) =>
      withHelper(
        flags,
        async ({ client, signal }) => {
          const { discard, yes } = flags;
          const machines: Machine[] = [];
          // A mistyped name deletes none of them.
          for (const machine of names)
            machines.push(
              (await client.call("machines.show", { machine }, signal)).machine,
            );
          const question = questionAbout(machines);
          const isAsked =
            question !== undefined &&
            [yes, discard, flags.json].every((flag) => flag !== true) &&
            isAskable();
          if (isAsked && !(await askForYes(question, signal)))
            return { deleted: [], ids: [] };
          const ids: string[] = [];
          for (const machine of names) {
            const params = { machine, ...given({ discard }) };
            const { id } = await client.call("machines.delete", params, signal);
            ids.push(id);
          }
          return { deleted: names, ids };
        },
        ({ deleted }) =>
          deleted.length === 0
            ? "Nothing was deleted."
            : `Deleted ${deleted.join(", ")}.`,
      ),
    );
}

/** Undefined where nothing more goes than a disk that is off. Pure. */
function questionAbout(machines: readonly Machine[]): string | undefined {
  const parts = machines.flatMap(({ name, state, checkpoints: { length } }) => {
    const what = [
      ...(state.kind === "running" ? ["running"] : []),
      ...(length === 0
        ? []
        : [`${String(length)} checkpoint${length === 1 ? "" : "s"}`]),
    ];
    return what.length === 0 ? [] : [`${name} (${what.join(", ")})`];
  });
  return parts.length === 0
    ? undefined
    : `Delete ${parts.join(", ")} with all that is in ${machines.length === 1 ? "it" : "them"}?`;
}
