import type { HandlersOf } from "../../protocol/contract.ts";
import type { Machine, machineMethods } from "../../protocol/machines.ts";
import { hasErrorCode } from "../../base/files.ts";
import { access } from "node:fs/promises";
import type { Images } from "../images/images.ts";
import { readLog } from "./roster/bootLog.ts";
import { renameGuest, renameMachine, setMachine } from "./change.ts";
import { createMachine, type CreateDeps } from "./create.ts";
import type { Machines } from "./machines.ts";
import { demand } from "./roster/lifecycle.ts";
import { createFromPool } from "./pool/fromPool.ts";
import type { Pool } from "./pool/pool.ts";
import { diagnoseMachine } from "./boot/followBoot.ts";
import type { Entry } from "./roster/entry.ts";
import type { Warm } from "./warm/warm.ts";
import { deleteMachine } from "./remove.ts";
import { takeScreenshot } from "./running/screenshot.ts";
import { machineStats } from "./running/stats.ts";
import { type AskForWork, demandSaved, noteWork } from "./running/unsaved.ts";
import { forkMachine } from "./saved/fork.ts";
import { demandForkable, type Unforkable } from "./saved/forkable.ts";
import type { SnapshotDeps } from "./saved/offspring.ts";
import { suspendMachine } from "./saved/suspend.ts";

export interface MachineHandlerDeps extends CreateDeps, SnapshotDeps {
  readonly unforkable?: Unforkable;
  readonly images: Images;
  readonly warm: Warm;
  readonly machines: Machines;
  readonly pool: Pool;
  readonly askForWork: AskForWork;
  /** Machines came, went or changed what the ssh config says of them. */
  readonly onRosterChanged: () => Promise<void>;
}

const defaultLogBytes = 1024 * 1024;

const answer = (
  { registry }: MachineHandlerDeps,
  entry: Entry,
): { machine: Machine } => ({ machine: registry.view(entry) });

/** The contract's `machines.*`. */
export const machineHandlers = (
  deps: MachineHandlerDeps,
): HandlersOf<keyof typeof machineMethods> => ({
  ...rosterHandlers(deps),
  ...newcomerHandlers(deps),
  ...lifeHandlers(deps),
  ...insightHandlers(deps),
});

/** Which machines there are, what they are called and made of. */
function rosterHandlers(
  deps: MachineHandlerDeps,
): HandlersOf<
  | "machines.list"
  | "machines.show"
  | "machines.rename"
  | "machines.set"
  | "machines.delete"
> {
  const { registry, layout } = deps;
  const alone = <T>(entry: Entry, work: () => Promise<T>): Promise<T> =>
    registry.locks.run(entry.record.id, work);
  return {
    "machines.list": () =>
      Promise.resolve({
        machines: registry
          .entries()
          .map((entry) => registry.view(entry))
          .sort((a, b) => a.name.localeCompare(b.name)),
      }),
    "machines.show": ({ machine }) =>
      Promise.resolve().then(() => answer(deps, registry.find(machine))),
    "machines.rename": async ({ machine, name, inGuest }, { signal }) => {
      const entry = registry.find(machine);
      await alone(entry, async () => {
        demand("rename", entry);
        if (inGuest === true) await renameGuest(entry, name, layout, signal);
        await renameMachine(entry, name, { registry, layout });
      });
      await deps.images.usersChanged(entry.record.image.digest);
      return answer(deps, entry);
    },
    "machines.set": async ({ machine, ...wanted }, { signal }) => {
      const entry = registry.find(machine);
      await alone(entry, async () => {
        demand("set", entry);
        await setMachine(entry, wanted, { registry, layout }, signal);
      });
      await deps.onRosterChanged();
      return answer(deps, entry);
    },
    "machines.delete": async ({ machine, discard }, { signal }) => {
      const entry = registry.find(machine);
      // Not under the lock: to ask its guest is a verb of its own.
      if (discard !== true) await demandSaved(entry, deps, signal);
      await alone(entry, async () => {
        demand("delete", entry);
        await deleteMachine(entry, deps);
      });
      await deps.onRosterChanged();
      return { id: entry.record.id };
    },
  };
}

/** How machines come into being. */
function newcomerHandlers(
  deps: MachineHandlerDeps,
): HandlersOf<"machines.create" | "machines.fork"> {
  const { registry, machines } = deps;
  return {
    "machines.create": async (params, { signal }) => {
      const pooled = await createFromPool(params, deps, signal);
      if (pooled !== undefined) {
        const { entry, live } = pooled;
        // Its QEMU belongs to nobody until the machine has it.
        await machines.start(entry, { ...params, wait: false, live }, signal);
        await deps.onRosterChanged();
        if (params.wait !== false) await machines.untilReady(entry, signal);
        return answer(deps, entry);
      }
      const entry = await createMachine(params, deps, signal);
      await deps.onRosterChanged();
      if (params.start !== false) await machines.start(entry, params, signal);
      return answer(deps, entry);
    },
    "machines.fork": async ({ machine, name, ...options }, { signal }) => {
      const parent = registry.find(machine);
      demandForkable(parent, deps.unforkable);
      const { entry, pausedMs } = await forkMachine(
        parent,
        { name },
        deps,
        signal,
      );
      await deps.onRosterChanged();
      await machines.start(entry, options, signal);
      return { ...answer(deps, entry), pausedMs };
    },
  };
}

/** What begins, holds and ends a machine's QEMU. */
function lifeHandlers(
  deps: MachineHandlerDeps,
): HandlersOf<
  | "machines.start"
  | "machines.stop"
  | "machines.restart"
  | "machines.pause"
  | "machines.resume"
  | "machines.suspend"
> {
  const { registry, machines } = deps;
  return {
    "machines.start": async ({ machine, ...options }, { signal }) => {
      const entry = registry.find(machine);
      await machines.start(entry, options, signal);
      return answer(deps, entry);
    },
    "machines.stop": async ({ machine, force, graceMs }, { signal }) => {
      const entry = registry.find(machine);
      const how = await machines.stop(
        entry,
        { force: force ?? false, graceMs },
        signal,
      );
      return { ...answer(deps, entry), how };
    },
    "machines.restart": async ({ machine, ...options }, { signal }) => {
      const entry = registry.find(machine);
      await machines.stop(entry, { force: false }, signal);
      // A restart is a boot, whatever the machine once came from.
      const boot = { ...options, discardState: true };
      await machines.start(entry, boot, signal);
      return answer(deps, entry);
    },
    "machines.pause": async ({ machine }, { signal }) => {
      const entry = registry.find(machine);
      await machines.pause(entry, signal);
      return answer(deps, entry);
    },
    "machines.resume": async ({ machine }, { signal }) => {
      const entry = registry.find(machine);
      await machines.resume(entry, signal);
      return answer(deps, entry);
    },
    "machines.suspend": async ({ machine }, { signal }) => {
      const entry = registry.find(machine);
      await noteWork(entry, deps, signal);
      await suspendMachine(entry, deps, signal);
      return answer(deps, entry);
    },
  };
}

/** What a machine is seen and asked by. */
function insightHandlers(
  deps: MachineHandlerDeps,
): HandlersOf<
  | "machines.stats"
  | "machines.screenshot"
  | "machines.log"
  | "machines.diagnose"
> {
  const { registry, machines, layout } = deps;
  return {
    "machines.stats": async ({ machine }, { signal }) => {
      const entry = registry.find(machine);
      const live = machines.living(entry, "stats");
      const files = layout.machine(entry.record.id);
      return { stats: await machineStats(entry, live, files, signal) };
    },
    "machines.screenshot": async ({ machine }) => {
      const entry = registry.find(machine);
      const live = machines.living(entry, "screenshot");
      return {
        png: (await takeScreenshot(entry, live, layout)).toString("base64"),
      };
    },
    "machines.log": async ({ machine, offset, maxBytes }) => {
      const id = await logOwner(machine, deps);
      const read = await readLog(
        layout.machine(id).log,
        offset ?? 0,
        maxBytes ?? defaultLogBytes,
      );
      return { id, ...read };
    },
    "machines.diagnose": async ({ machine }, { signal }) => {
      const entry = registry.find(machine);
      const live = machines.living(entry, "diagnose");
      return {
        diagnosis: await diagnoseMachine(
          entry,
          live,
          machines.bootDeps,
          signal,
        ),
      };
    },
  };
}

/** A machine that is here, or the id of a deleted one whose log is kept (B13). */
async function logOwner(
  which: string,
  { registry, layout }: MachineHandlerDeps,
): Promise<string> {
  try {
    return registry.find(which).record.id;
  } catch (error) {
    if (!/^[0-9a-f]{12}$/.test(which)) throw error;
    try {
      await access(layout.machine(which).log);
      return which;
    } catch (missing) {
      if (hasErrorCode(missing, "ENOENT")) throw error;
      throw missing;
    }
  }
}
