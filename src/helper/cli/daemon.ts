import type { Command } from "commander";
import { version } from "../../base/version.ts";
import { failed } from "../../protocol/failure.ts";
import { defaultHome } from "../../rpc/address.ts";
import { processIdentity, waitForExit } from "../qemu/process.ts";
import { bytes, table } from "./terminal/format.ts";
import { reportFailures } from "./terminal/reportFailures.ts";
import { runningHelper, say } from "./terminal/session.ts";

const endTimeoutMs = 15_000;

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
    .action(async () => {
      // Every command of the bundle comes through here, and the daemon is most of it: evaluated only when it is meant.
      const { runDaemon } = await import("../daemon/run.ts");
      await runDaemon(defaultHome(), version);
    });

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
          const identity = await processIdentity(helper.status.pid);
          await helper.client.call("helper.stop", { reason: "requested" });
          helper.client.close();
          // Its connection ends before its last line is in the log: whoever removes the folder next must not meet it.
          if (
            identity !== undefined &&
            !(await waitForExit(identity, endTimeoutMs))
          )
            throw failed(
              "helper.unreachable",
              `The helper (process ${String(identity.pid)}) did not end within ${String(endTimeoutMs / 1000)} s.`,
              { remedy: "Look at the helper's log; end that process by hand." },
            );
        }
        say(flags, { stopped: helper !== undefined }, ({ stopped }) =>
          stopped
            ? "The helper has ended; machines run on."
            : "No helper was running.",
        );
      }),
    );
}
