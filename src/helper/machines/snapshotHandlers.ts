import type { HandlersOf } from "../../protocol/contract.ts";
import type { checkpointMethods } from "../../protocol/checkpoints.ts";
import type { Machine } from "../../protocol/machines.ts";
import {
  branchMachine,
  createCheckpoint,
  deleteCheckpoint,
} from "./checkpoints.ts";
import { refused } from "../../protocol/failure.ts";
import type { Entry } from "./entry.ts";
import type { Machines } from "./machines.ts";
import { forkMachine } from "./fork.ts";
import type { SnapshotDeps } from "./offspring.ts";
import { rollBack } from "./rollBack.ts";
import { suspendMachine } from "./suspend.ts";
import { type AskForWork, forgetWork, noteWork } from "./unsaved.ts";

export interface SnapshotHandlerDeps extends SnapshotDeps {
  readonly machines: Machines;
  readonly askForWork: AskForWork;
  /** Why this machine is not to have copies of itself; undefined where it may. */
  readonly unforkable?: (id: string) => string | undefined;
  /** Machines came or went. */
  readonly onRosterChanged: () => Promise<void>;
}

/** The contract's `checkpoints.*`, and of `machines.*` what keeps a machine as it is. */
export function snapshotHandlers(
  deps: SnapshotHandlerDeps,
): HandlersOf<
  keyof typeof checkpointMethods | "machines.fork" | "machines.suspend"
> {
  const { registry, machines } = deps;
  const answer = (entry: Entry): { machine: Machine } => ({
    machine: registry.view(entry),
  });
  const demandForkable = (machine: string): void => {
    const { id, name } = registry.find(machine).record;
    const why = deps.unforkable?.(id);
    if (why !== undefined)
      throw refused(
        "machines.badRequest",
        `“${name}” can't be forked: ${why}`,
        {
          remedy:
            "Bring the folder, or one of its branches, up with --files copy: such a VM can be forked.",
        },
      );
  };
  return {
    "machines.fork": async ({ machine, name, ...options }, { signal }) => {
      demandForkable(machine);
      const { entry, pausedMs } = await forkMachine(
        registry.find(machine),
        { name },
        deps,
        signal,
      );
      await deps.onRosterChanged();
      await machines.start(entry, options, signal);
      return { ...answer(entry), pausedMs };
    },
    "machines.suspend": async ({ machine }, { signal }) => {
      const entry = registry.find(machine);
      await noteWork(entry, deps, signal);
      await suspendMachine(entry, deps, signal);
      return answer(entry);
    },
    "checkpoints.create": async ({ machine, ...wish }, { signal }) => {
      const entry = registry.find(machine);
      const { id, pausedMs } = await createCheckpoint(
        entry,
        wish,
        deps,
        signal,
      );
      return { ...answer(entry), checkpoint: id, pausedMs };
    },
    "checkpoints.rollBack": async (
      { machine, checkpoint, keepPresent, diskOnly, ...options },
      { signal },
    ) => {
      const entry = registry.find(machine);
      // What was found in there is of another time.
      await forgetWork(entry, registry);
      const starts = await rollBack(
        entry,
        checkpoint,
        { keepPresent, diskOnly },
        deps,
        signal,
      );
      if (starts) await machines.start(entry, options, signal);
      return answer(entry);
    },
    "checkpoints.branch": async (
      { machine, checkpoint, name, ...options },
      { signal },
    ) => {
      demandForkable(machine);
      const { entry } = await branchMachine(
        registry.find(machine),
        checkpoint,
        { name },
        deps,
        signal,
      );
      await deps.onRosterChanged();
      await machines.start(entry, options, signal);
      return answer(entry);
    },
    "checkpoints.delete": async ({ machine, checkpoint }) => {
      const entry = registry.find(machine);
      const freedBytes = await deleteCheckpoint(entry, checkpoint, deps);
      return { ...answer(entry), freedBytes };
    },
  };
}
