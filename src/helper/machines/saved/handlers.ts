import type { checkpointMethods } from "../../../protocol/checkpoints.ts";
import type { HandlersOf } from "../../../protocol/contract.ts";
import type { Machine } from "../../../protocol/machines.ts";
import type { Entry } from "../roster/entry.ts";
import { forgetWork } from "../running/unsaved.ts";
import {
  branchMachine,
  createCheckpoint,
  deleteCheckpoint,
} from "./checkpoints.ts";
import { demandForkable, type Unforkable } from "./forkable.ts";
import type { SnapshotDeps } from "./offspring.ts";
import { rollBack } from "./rollBack.ts";

export interface CheckpointHandlerDeps extends SnapshotDeps {
  readonly unforkable?: Unforkable;
  /** Starts a machine, which is a verb of the room above. */
  readonly start: (
    entry: Entry,
    options: {
      readonly wait?: boolean | undefined;
      readonly timeoutMs?: number | undefined;
    },
    signal: AbortSignal,
  ) => Promise<void>;
  /** Machines came or went. */
  readonly onRosterChanged: () => Promise<void>;
}

/** The contract's `checkpoints.*`. */
export function checkpointHandlers(
  deps: CheckpointHandlerDeps,
): HandlersOf<keyof typeof checkpointMethods> {
  const { registry, start } = deps;
  const answer = (entry: Entry): { machine: Machine } => ({
    machine: registry.view(entry),
  });
  return {
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
      const wish = { checkpoint, keepPresent, diskOnly };
      const starts = await rollBack(entry, wish, deps, signal);
      if (starts) await start(entry, options, signal);
      return answer(entry);
    },
    "checkpoints.branch": async (
      { machine, checkpoint, name, ...options },
      { signal },
    ) => {
      const parent = registry.find(machine);
      demandForkable(parent, deps.unforkable);
      const wish = { checkpoint, name };
      const { entry } = await branchMachine(parent, wish, deps, signal);
      await deps.onRosterChanged();
      await start(entry, options, signal);
      return answer(entry);
    },
    "checkpoints.delete": async ({ machine, checkpoint }) => {
      const entry = registry.find(machine);
      const freedBytes = await deleteCheckpoint(entry, checkpoint, deps);
      return { ...answer(entry), freedBytes };
    },
  };
}
