import { type Command, InvalidArgumentError } from "commander";
import { given } from "../../../base/given.ts";
import type { Checkpoint } from "../../../protocol/machines.ts";
import { bytes, seconds, table } from "../terminal/format.ts";
import { type JsonFlag, withHelper } from "../terminal/session.ts";
import {
  addWaitOptions,
  type WaitFlags,
  waiting,
  watchMachine,
} from "../terminal/waiting.ts";
import { checkpointRows, madeText } from "./text.ts";

/** `guesthouse checkpoint …`. */
export function addCheckpointCommands(program: Command): void {
  const checkpoint = program
    .command("checkpoint")
    .description("moments of a machine to come back to");
  addList(checkpoint);
  addCreate(checkpoint);
  addRollBack(checkpoint);
  addBranch(checkpoint);
  addDelete(checkpoint);
}

function addList(checkpoint: Command): void {
  checkpoint
    .command("list")
    .alias("ls")
    .argument("<name>")
    .description("list a machine's checkpoints, oldest first")
    .option("--json", "print JSON")
    .action(async (machine: string, flags: JsonFlag) =>
      withHelper(
        flags,
        async ({ client }) =>
          (await client.call("machines.show", { machine })).machine.checkpoints,
        listText,
      ),
    );
}

function addCreate(checkpoint: Command): void {
  checkpoint
    .command("create")
    .argument("<name>")
    .description("keep what a machine is now: disk, and memory while it runs")
    .option("-n, --note <text>", "what to know it by", noteOption)
    .option("--no-memory", "keep the disk only")
    .option("--json", "print JSON")
    .action(
      async (
        machine: string,
        flags: JsonFlag & { note?: string; memory: boolean },
      ) =>
        withHelper(
          flags,
          async ({ client, progress, signal }) => {
            progress.show(`${machine}: making a checkpoint`);
            const params = {
              machine,
              ...given({ note: flags.note }),
              ...(flags.memory ? {} : { memory: false }),
            };
            return client.call("checkpoints.create", params, signal);
          },
          ({ checkpoint: id, machine: after, pausedMs }) => {
            const made = after.checkpoints.find((each) => each.id === id);
            const size =
              made === undefined ? "" : ` (${bytes(made.sizeBytes)})`;
            return `Checkpoint ${id} of ${after.name} is made${size}; it stood still for ${seconds(pausedMs)}.`;
          },
        ),
    );
}

function addRollBack(checkpoint: Command): void {
  addWaitOptions(
    checkpoint
      .command("roll-back")
      .argument("<name>")
      .argument("<checkpoint>", "id, or note")
      .description("put a machine back; what happened since is lost")
      .option("--keep-present", "keep the present state as a checkpoint first")
      .option("--disk-only", "leave the kept memory: boot from the kept disk"),
  ).action(
    async (
      machine: string,
      id: string,
      flags: WaitFlags & { keepPresent?: boolean; diskOnly?: boolean },
    ) =>
      withHelper(
        flags,
        async (session) => {
          watchMachine(session, machine);
          const params = {
            machine,
            checkpoint: id,
            keepPresent: flags.keepPresent ?? false,
            ...(flags.diskOnly === true ? { diskOnly: true } : {}),
            ...waiting(flags),
          };
          const { client, signal } = session;
          return (await client.call("checkpoints.rollBack", params, signal))
            .machine;
        },
        (after) => `${after.name} is back at ${id} and ${after.state.kind}.`,
      ),
  );
}

function addBranch(checkpoint: Command): void {
  addWaitOptions(
    checkpoint
      .command("branch")
      .argument("<name>")
      .argument("<checkpoint>", "id, or note")
      .argument("[new]", "name of the new machine")
      .description("make a new machine that begins at a checkpoint"),
  ).action(
    async (
      machine: string,
      id: string,
      name: string | undefined,
      flags: WaitFlags,
    ) =>
      withHelper(
        flags,
        async (session) => {
          const { client, progress, signal } = session;
          progress.show(`branching from ${id} of ${machine}`);
          if (name !== undefined) watchMachine(session, name);
          const params = {
            machine,
            checkpoint: id,
            ...given({ name }),
            ...waiting(flags),
          };
          return (await client.call("checkpoints.branch", params, signal))
            .machine;
        },
        madeText,
      ),
  );
}

function addDelete(checkpoint: Command): void {
  checkpoint
    .command("delete")
    .alias("rm")
    .argument("<name>")
    .argument("<checkpoint>", "id, or note")
    .description("delete a checkpoint; what stands on it is kept")
    .option("--json", "print JSON")
    .action(async (machine: string, id: string, flags: JsonFlag) =>
      withHelper(
        flags,
        ({ client, signal }) =>
          client.call(
            "checkpoints.delete",
            { machine, checkpoint: id },
            signal,
          ),
        ({ freedBytes }) =>
          `Deleted checkpoint ${id} of ${machine}; ${bytes(freedBytes)} freed.`,
      ),
    );
}

/** As the contract bounds it. */
function noteOption(text: string): string {
  if (text.length > 200)
    throw new InvalidArgumentError("A note has at most 200 characters.");
  return text;
}

const listText = (checkpoints: readonly Checkpoint[]): string =>
  checkpoints.length === 0
    ? "No checkpoints yet. Make one with: guesthouse checkpoint create"
    : table([
        ["ID", "TIME", "KEEPS", "SIZE", "NOTE"],
        ...checkpointRows(checkpoints),
      ]);
