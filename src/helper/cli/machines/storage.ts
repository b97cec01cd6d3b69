import type { Command } from "commander";
import type { StorageItem } from "../../../protocol/storage.ts";
import { bytes, table } from "../terminal/format.ts";
import { withHelper } from "../terminal/session.ts";

interface JsonFlag {
  readonly json?: boolean;
}

/** `guesthouse du` and `guesthouse gc`: what takes room on the disk, and giving back what can go. */
export function addStorageCommands(program: Command): void {
  program
    .command("du")
    .description("show what takes room on the disk, the largest first")
    .option("--json", "print JSON")
    .action(async (flags: JsonFlag) =>
      withHelper(
        flags,
        ({ client, signal }) => client.call("storage.usage", {}, signal),
        ({ items, totalBytes, reclaimableBytes }) =>
          [
            ...(items.length === 0 ? [] : [itemsText(items)]),
            `${bytes(totalBytes)} in all, ${bytes(reclaimableBytes)} of it reclaimable.`,
          ].join("\n"),
      ),
    );

  program
    .command("gc")
    .description(
      "remove what is of no use or can be made again; never what anything stands on",
    )
    .option("--dry-run", "only say what would go")
    .option("--json", "print JSON")
    .action(async (flags: JsonFlag & { dryRun?: boolean }) =>
      withHelper(
        flags,
        ({ client, signal }) =>
          client.call(
            "storage.reclaim",
            { dryRun: flags.dryRun ?? false },
            signal,
          ),
        ({ removed, freedBytes }) =>
          removed.length === 0
            ? "Nothing can be reclaimed."
            : [
                itemsText(removed),
                flags.dryRun === true
                  ? `${bytes(freedBytes)} would be freed.`
                  : `${bytes(freedBytes)} freed.`,
              ].join("\n"),
      ),
    );
}

const itemsText = (items: readonly StorageItem[]): string =>
  table([
    ["SIZE", "KIND", "WHAT", "CAN GO", "WHY"],
    ...items
      .toSorted((a, b) => b.bytes - a.bytes)
      .map(({ kind, title, bytes: size, reclaimable, reason }) => [
        bytes(size),
        kind,
        title,
        reclaimable ? "yes" : "no",
        reason,
      ]),
  ]);
