import { silentLog } from "../../../src/base/log.ts";
import { toFailure } from "../../../src/protocol/failure.ts";
import type { Images } from "../../../src/helper/images/images.ts";
import { adoptMachines } from "../../../src/helper/machines/adopt.ts";
import {
  branchMachine,
  createCheckpoint,
  deleteCheckpoint,
} from "../../../src/helper/machines/saved/checkpoints.ts";
import { forkMachine } from "../../../src/helper/machines/saved/fork.ts";
import type { SnapshotDeps } from "../../../src/helper/machines/saved/offspring.ts";
import { MachineRegistry } from "../../../src/helper/machines/roster/registry.ts";
import { deleteMachine } from "../../../src/helper/machines/remove.ts";
import { rollBack } from "../../../src/helper/machines/saved/rollBack.ts";
import { supervise } from "../../../src/helper/machines/running/supervise.ts";
import { inspectQemu } from "../../../src/helper/qemu/inspect.ts";
import { isSameProcess } from "../../../src/helper/qemu/process.ts";
import { findProgram } from "../../../src/helper/processes/programs.ts";
import { suspendMachine } from "../../../src/helper/machines/saved/suspend.ts";
import { layoutOf } from "../../../src/helper/store/layout.ts";

/**
 * A helper that takes over the machines of a data folder, does one thing and ends: `driver HOME VERB MACHINE [ARGUMENT]`.
 * A process of its own, so that it can be killed in the midst.
 */
async function main([
  home,
  verb,
  machine,
  argument,
]: string[]): Promise<unknown> {
  const layout = layoutOf(home!);
  const log = silentLog;
  const registry = new MachineRegistry(layout, {
    changed: () => undefined,
    removed: () => undefined,
  });
  const images = {
    usersChanged: () => Promise.resolve(),
  } as unknown as Images;
  await adoptMachines({
    layout,
    registry,
    log,
    onLiving: (entry, live) =>
      supervise(entry, live, {
        ...{ layout, registry, log },
        leaving: () => false,
        onReset: () => undefined,
      }),
  });
  const deps: SnapshotDeps = {
    layout,
    registry,
    log,
    usersChanged: () => Promise.resolve(),
    survey: async () => ({
      qemu: await inspectQemu((await findProgram("qemu-system-x86_64"))!),
      accelerator: { kind: "tcg" },
    }),
  };
  const { signal } = new AbortController();
  const entry = registry.find(machine!);
  const act = async (): Promise<unknown> => {
    switch (verb) {
      case "fork": {
        const fork = await forkMachine(entry, {}, deps, signal);
        return { id: fork.entry.record.id, pausedMs: fork.pausedMs };
      }
      case "checkpoint":
        return createCheckpoint(entry, { note: argument }, deps, signal);
      case "rollBack":
        return rollBack(entry, { checkpoint: argument! }, deps, signal);
      case "rollBackDisk":
        return rollBack(
          entry,
          { checkpoint: argument!, diskOnly: true },
          deps,
          signal,
        );
      case "rollBackKeeping":
        return rollBack(
          entry,
          { checkpoint: argument!, keepPresent: true },
          deps,
          signal,
        );
      case "branch": {
        const fork = await branchMachine(
          entry,
          { checkpoint: argument! },
          deps,
          signal,
        );
        return { id: fork.entry.record.id };
      }
      case "forget":
        return deleteCheckpoint(entry, argument!, deps);
      case "suspend":
        return suspendMachine(entry, deps, signal);
      case "delete":
        return deleteMachine(entry, { layout, registry, images, log });
      default:
        return undefined;
    }
  };
  const { live } = entry;
  const outcome = await act().then(
    (result) => ({ result }),
    (error: unknown) => ({ failure: toFailure(error) }),
  );
  // What became of a QEMU that ended meanwhile is booked by those who watch it.
  if (live !== undefined && !(await isSameProcess(live.handles)))
    while (live.ended === undefined)
      await new Promise((wake) => setTimeout(wake, 10));
  await live?.ended;
  return {
    ...outcome,
    machines: registry
      .entries()
      .map(({ record, state }) => ({ state: state.kind, record })),
  };
}

main(process.argv.slice(2)).then(
  (answer) => {
    process.stdout.write(JSON.stringify(answer), () => process.exit(0));
  },
  (error: unknown) => {
    process.stderr.write(String(error), () => process.exit(1));
  },
);
