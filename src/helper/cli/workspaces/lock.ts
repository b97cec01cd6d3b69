import { given } from "../../../base/given.ts";
import { resolve } from "node:path";
import type { Command } from "commander";
import { withHelper } from "../terminal/session.ts";

interface LockFlags {
  readonly config?: string;
  readonly json?: boolean;
}

export function addLockCommand(program: Command): void {
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
}
