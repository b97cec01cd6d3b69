import type { Command } from "commander";
import { visible } from "../../../base/visible.ts";
import type { Leftover } from "../../../protocol/workspaces.ts";
import { refused } from "../../../protocol/failure.ts";
import { bytes, table } from "../terminal/format.ts";
import { withHelper } from "../terminal/session.ts";

interface ListFlags {
  readonly json?: boolean;
  readonly unused?: string;
  readonly all?: boolean;
}

/** `guesthouse workspace …`: what folders, branches and clones have VMs, and taking that away. */
export function addWorkspaceListCommands(program: Command): void {
  const workspace = program
    .command("workspace")
    .description("folders, branches and repositories that have VMs");

  workspace
    .command("list")
    .alias("ls")
    .description("list them, with their size and why they may go")
    .option("--unused <days>", "after how many days a VM counts as unused")
    .option("--all", "also VMs that belong to no folder")
    .option("--json", "print JSON")
    .action(async (flags: ListFlags) =>
      withHelper(
        flags,
        async ({ client, signal }) => {
          const { leftovers } = await client.call(
            "workspaces.leftovers",
            flags.unused === undefined
              ? {}
              : { unusedDays: daysOf(flags.unused) },
            signal,
          );
          return leftovers.filter(
            ({ kind }) => flags.all === true || kind === "workspace",
          );
        },
        listText,
      ),
    );

  workspace
    .command("delete")
    .alias("rm")
    .argument("<id...>", "as `workspace list` shows them")
    .description(
      "forget workspaces, and delete their VMs and what was cloned for them",
    )
    .option("--discard", "even if they hold work that is nowhere else")
    .option("--json", "print JSON")
    .action(
      async (ids: string[], flags: { json?: boolean; discard?: boolean }) =>
        withHelper(
          flags,
          async ({ client, signal }) => {
            for (const id of ids)
              await client.call(
                "workspaces.delete",
                { id, discard: flags.discard ?? false },
                signal,
              );
            return ids;
          },
          (deleted) => `${deleted.join(", ")} deleted.`,
        ),
    );
}

function daysOf(text: string): number {
  const days = Number(text);
  if (text !== "" && Number.isFinite(days) && days >= 0) return days;
  throw refused("request.invalid", `“${text}” is no number of days.`, {
    remedy: "Give a number, e.g. 30.",
  });
}

const whyTexts: Readonly<Record<Leftover["why"][number], string>> = {
  folderGone: "its folder is gone",
  machineGone: "it has no VM",
  unused: "unused for long",
};

const listText = (leftovers: readonly Leftover[]): string =>
  leftovers.length === 0
    ? "No folder was brought up yet."
    : table([
        ["ID", "WHAT", "VM", "SIZE", "LAST USED", "WHY IT MAY GO"],
        ...leftovers.map((each) => [
          each.id,
          visible(
            each.url === undefined
              ? `${each.folder ?? each.title}${each.branch === undefined ? "" : ` (${each.branch})`}`
              : `${each.url}${each.branch === undefined ? "" : ` (${each.branch})`}`,
          ),
          each.machine?.name ?? "-",
          bytes(each.bytes),
          each.running ? "now" : (each.lastUsedAt?.slice(0, 10) ?? "-"),
          each.why.map((why) => whyTexts[why]).join(", "),
        ]),
      ]);
