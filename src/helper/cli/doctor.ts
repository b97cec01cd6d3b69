import type { Command } from "commander";
import { exitCodes } from "./terminal/exitCodes.ts";
import { withHelper } from "./terminal/session.ts";

const marks = { ok: "✓", warning: "!", error: "✗" } as const;

/** `guesthouse doctor`: can this host run machines, and what would mend it. Exit code 1 when it can't. */
export function addDoctorCommand(program: Command): void {
  program
    .command("doctor")
    .description("check this host")
    .option("--retry", "try accelerators and network again")
    .option("--json", "print JSON")
    .action(async (flags: { retry?: boolean; json?: boolean }) =>
      withHelper(
        flags,
        async ({ client, progress, signal }) => {
          progress.show("looking at the host");
          const { report } = await client.call(
            "host.doctor",
            { retry: flags.retry ?? false },
            signal,
          );
          if (!report.healthy) process.exitCode = exitCodes.failed;
          return report;
        },
        ({ checks, installCommand }) =>
          [
            ...checks.map(
              ({ outcome, title, detail, remedy }) =>
                `${marks[outcome]} ${title}: ${detail}${remedy === undefined ? "" : `\n  → ${remedy}`}`,
            ),
            ...(installCommand === undefined
              ? []
              : [`Install what is missing with: ${installCommand.join(" ")}`]),
          ].join("\n"),
      ),
    );
}
