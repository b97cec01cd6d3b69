import { silentLog } from "../../../src/base/log.ts";
import { toFailure } from "../../../src/protocol/failure.ts";
import type { Images } from "../../../src/helper/images/images.ts";
import { adoptMachines } from "../../../src/helper/machines/adopt.ts";
import {
  branchMachine,
  createCheckpoint,
  deleteCheckpoint,
} from "../../../src/helper/machines/checkpoints.ts";
import { forkMachine } from "../../../src/helper/machines/fork.ts";
import type { SnapshotDeps } from "../../../src/helper/machines/offspring.ts";
import { MachineRegistry } from "../../../src/helper/machines/registry.ts";
import { deleteMachine } from "../../../src/helper/machines/remove.ts";
import { rollBack } from "../../../src/helper/machines/rollBack.ts";
import { suspendMachine } from "../../../src/helper/machines/suspend.ts";
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
  await adoptMachines({ layout, registry, log, onLiving: () => undefined });
  const deps: SnapshotDeps = {
    layout,
    registry,
    log,
    usersChanged: () => Promise.resolve(),
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
        return rollBack(entry, argument!, {}, deps, signal);
      case "branch": {
        const fork = await branchMachine(entry, argument!, {}, deps, signal);
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
  const result = await act();
  return {
    result,
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
    process.stdout.write(JSON.stringify({ failure: toFailure(error) }), () =>
      process.exit(1),
    );
  },
);
