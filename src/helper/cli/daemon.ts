import type { Command } from "commander";
import { version } from "../../base/version.ts";
import { withDeadline } from "../../base/deadline.ts";
import { defaultHome } from "../../rpc/address.ts";
import { runDaemon } from "../daemon/run.ts";
import { bytes, table } from "./format.ts";
import { reportFailures, runningHelper, say } from "./session.ts";

interface JsonFlag {
  readonly json?: boolean;
}

/** `guesthouse daemon …`: the helper itself. */
export function addDaemonCommands(program: Command): void {
  const daemon = program
    .command("daemon")
    .description("the helper that keeps the machines");

  daemon
    .command("run", { hidden: true })
    .description("be the helper (started on demand)")
    .action(() => runDaemon(defaultHome(), version));

  daemon
    .command("status")
    .description("show the running helper, without starting one")
    .option("--json", "print JSON")
    .action((flags: JsonFlag) =>
      reportFailures(flags, async () => {
        const helper = await runningHelper();
        helper?.client.close();
        say(flags, { running: helper !== undefined, ...helper?.status }, () =>
          helper === undefined
            ? "No helper is running; it starts on demand."
            : table([
                ["process", String(helper.status.pid)],
                ["version", helper.status.version],
                ["data", helper.status.home],
                ["socket", helper.status.socket],
                ["clients", String(helper.status.clients - 1)],
                [
                  "machines",
                  `${String(helper.status.machinesRunning)} running`,
                ],
                ["memory", bytes(helper.status.memoryBytes)],
              ]),
        );
      }),
    );

  daemon
    .command("stop")
    .description("end the helper; machines run on")
    .option("--json", "print JSON")
    .action((flags: JsonFlag) =>
      reportFailures(flags, async () => {
        const helper = await runningHelper();
        if (helper !== undefined) {
          await helper.client.call("helper.stop", { reason: "requested" });
          await withDeadline(
            "The helper's end",
            10_000,
            () => helper.client.closed,
          );
          helper.client.close();
        }
        say(flags, { stopped: helper !== undefined }, ({ stopped }) =>
          stopped
            ? "The helper has ended; machines run on."
            : "No helper was running.",
        );
      }),
    );
}
