import type { HandlersOf } from "../../protocol/contract.ts";
import type { Machine, machineMethods } from "../../protocol/machines.ts";
import { hasErrorCode } from "../../base/files.ts";
import { access } from "node:fs/promises";
import { readLog } from "./bootLog.ts";
import { renameGuest, renameMachine, setMachine } from "./change.ts";
import { createMachine, type CreateDeps } from "./create.ts";
import { type Machines, throwIfRefused } from "./machines.ts";
import { createFromPool } from "./fromPool.ts";
import type { Pool } from "./pool.ts";
import { diagnoseMachine } from "./reach.ts";
import type { Entry } from "./entry.ts";
import { deleteMachine } from "./remove.ts";
import { takeScreenshot } from "./screenshot.ts";
import { machineStats } from "./stats.ts";
import { type AskForWork, demandSaved } from "./unsaved.ts";

export interface MachineHandlerDeps extends CreateDeps {
  readonly machines: Machines;
  readonly pool: Pool;
  readonly askForWork: AskForWork;
  /** Machines came, went or changed what the ssh config says of them. */
  readonly onRosterChanged: () => Promise<void>;
}

const defaultLogBytes = 1024 * 1024;

/** The contract's `machines.*`. */
export function machineHandlers(
  deps: MachineHandlerDeps,
): HandlersOf<
  Exclude<keyof typeof machineMethods, "machines.fork" | "machines.suspend">
> {
  const { registry, machines, layout } = deps;
  const answer = (entry: Entry): { machine: Machine } => ({
    machine: registry.view(entry),
  });
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
      Promise.resolve().then(() => answer(registry.find(machine))),

    "machines.create": async (params, { signal }) => {
      const pooled = await createFromPool(params, deps, signal);
      if (pooled !== undefined) {
        const { entry, live } = pooled;
        // Its QEMU belongs to nobody until the machine has it.
        await machines.start(entry, { ...params, wait: false, live }, signal);
        await deps.onRosterChanged();
        if (params.wait !== false) await machines.untilReady(entry, signal);
        return answer(entry);
      }
      const entry = await createMachine(params, deps, signal);
      await deps.onRosterChanged();
      if (params.start !== false) await machines.start(entry, params, signal);
      return answer(entry);
    },
    "machines.start": async ({ machine, ...options }, { signal }) => {
      const entry = registry.find(machine);
      await machines.start(entry, options, signal);
      return answer(entry);
    },
    "machines.stop": async ({ machine, force, graceMs }, { signal }) => {
      const entry = registry.find(machine);
      const how = await machines.stop(
        entry,
        { force: force ?? false, graceMs },
        signal,
      );
      return { ...answer(entry), how };
    },
    "machines.restart": async ({ machine, ...options }, { signal }) => {
      const entry = registry.find(machine);
      await machines.stop(entry, { force: false }, signal);
      // A restart is a boot, whatever the machine once came from.
      const boot = { ...options, discardState: true };
      await machines.start(entry, boot, signal);
      return answer(entry);
    },
    "machines.pause": async ({ machine }, { signal }) => {
      const entry = registry.find(machine);
      await machines.pause(entry, signal);
      return answer(entry);
    },
    "machines.resume": async ({ machine }, { signal }) => {
      const entry = registry.find(machine);
      await machines.resume(entry, signal);
      return answer(entry);
    },
    "machines.rename": async ({ machine, name, inGuest }, { signal }) => {
      const entry = registry.find(machine);
      await alone(entry, async () => {
        throwIfRefused("rename", entry);
        if (inGuest === true) await renameGuest(entry, name, layout, signal);
        await renameMachine(entry, name, { registry, layout });
      });
      await deps.images.usersChanged(entry.record.image.digest);
      return answer(entry);
    },
    "machines.set": async ({ machine, ...wanted }, { signal }) => {
      const entry = registry.find(machine);
      await alone(entry, async () => {
        throwIfRefused("set", entry);
        await setMachine(entry, wanted, { registry, layout }, signal);
      });
      await deps.onRosterChanged();
      return answer(entry);
    },
    "machines.delete": async ({ machine, discard }, { signal }) => {
      const entry = registry.find(machine);
      // Not under the lock: to ask its guest is a verb of its own.
      if (discard !== true) await demandSaved(entry, deps, signal);
      await alone(entry, async () => {
        throwIfRefused("delete", entry);
        await deleteMachine(entry, deps);
      });
      await deps.onRosterChanged();
      return { id: entry.record.id };
    },
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
      const id = await logOwner(machine);
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
          machines.reachDeps,
          signal,
        ),
      };
    },
  };

  /** A machine that is here, or the id of a deleted one whose log is kept (B13). */
  async function logOwner(which: string): Promise<string> {
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
}
