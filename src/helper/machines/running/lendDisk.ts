import type { Log } from "../../../base/log.ts";
import { plugDisk, unplugDisk } from "../../qemu/hotPlug.ts";
import type { MachineRegistry } from "../roster/registry.ts";

export interface LendDeps {
  readonly registry: MachineRegistry;
  readonly log: Log;
}

/** By this the guest finds the disk, in sysfs. */
export const lentSerial = "guesthouse-lent";

/**
 * Lends a raw file of the host to a running guest as a disk while `work` runs. Until it is taken back no other verb
 * acts on the machine: a fork or a checkpoint of that moment could never be resumed without the disk.
 * Answers undefined, without having run `work`, where no disk can be plugged in. Throws what `work` throws.
 */
export function lendDisk<T>(
  machine: string,
  path: string,
  work: () => Promise<T>,
  { registry, log }: LendDeps,
): Promise<{ readonly value: T } | undefined> {
  const entry = registry.find(machine);
  const { id } = entry.record;
  return registry.locks.run(id, async () => {
    const qmp = entry.live?.qmp;
    if (qmp === undefined || entry.state.kind !== "running") return undefined;
    try {
      await plugDisk(qmp, path, lentSerial);
    } catch (error) {
      log.info("no disk can be plugged in", { machine: id, error });
      return undefined;
    }
    try {
      return { value: await work() };
    } finally {
      const gone = await unplugDisk(qmp).catch(() => false);
      if (!gone)
        log.warn("the guest does not let go of a disk", { machine: id });
    }
  });
}
