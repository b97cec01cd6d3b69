import type { Command } from "commander";
import { given } from "../../../base/given.ts";
import { seconds } from "../terminal/format.ts";
import { withHelper } from "../terminal/session.ts";
import {
  addWaitOptions,
  type WaitFlags,
  waiting,
  watchMachine,
} from "../terminal/waiting.ts";
import { madeText } from "./text.ts";

export function addForkCommand(program: Command): void {
  addWaitOptions(
    program
      .command("fork")
      .argument("<name>", "a machine that is running, paused or suspended")
      .argument("[new]", "name of the fork")
      .description("copy a machine with its memory, disk and processes"),
  ).action(
    async (machine: string, name: string | undefined, flags: WaitFlags) =>
      withHelper(
        flags,
        async (session) => {
          const { client, progress, signal } = session;
          progress.show(`forking ${machine}`);
          if (name !== undefined) watchMachine(session, name);
          const params = {
            machine,
            ...given({ name }),
            ...waiting(flags),
          };
          return client.call("machines.fork", params, signal);
        },
        ({ machine: fork, pausedMs }) =>
          `${madeText(fork)}\n${machine} stood still for ${seconds(pausedMs)}.`,
      ),
  );
}
