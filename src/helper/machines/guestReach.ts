import type { Reach } from "../ssh/reach.ts";
import type { Layout } from "../store/layout.ts";
import type { Machines } from "./machines.ts";
import type { MachineRegistry } from "./registry.ts";
import { guestHost, sshTarget } from "./sshTarget.ts";

export interface GuestReachDeps {
  readonly layout: Layout;
  readonly registry: MachineRegistry;
  readonly machines: Machines;
}

/** The way from a machine's name to its guest, for those who speak SSH. */
export function guestReach({
  layout,
  registry,
  machines,
}: GuestReachDeps): Reach {
  return {
    find(machine) {
      const { record, live } = registry.find(machine);
      const { id, name, alias, user, os } = record;
      return { id, name, alias, user, os, port: live?.handles.sshPort };
    },

    async prepare(machine, signal) {
      const entry = registry.find(machine);
      if (entry.state.kind === "paused") await machines.resume(entry, signal);
      // One that was not reached so far may be by now: ssh itself finds out, with its own patience.
      if (entry.state.kind !== "unready")
        await machines.start(entry, { wait: true }, signal);
      const { handles } = machines.living(entry, "reach");
      return { host: guestHost, port: handles.sshPort };
    },

    async target(machine, signal) {
      const entry = registry.find(machine);
      await machines.start(entry, { wait: true }, signal);
      const { handles } = machines.living(entry, "reach");
      return sshTarget(layout, entry.record, handles.sshPort);
    },

    async running(machine) {
      const entry = registry.find(machine);
      const { state, live } = entry;
      return state.kind === "running" && live !== undefined
        ? sshTarget(layout, entry.record, live.handles.sshPort)
        : undefined;
    },

    aliases: () => registry.entries().map(({ record }) => record.alias),
  };
}
