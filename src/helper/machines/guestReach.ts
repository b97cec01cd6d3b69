import { readFile } from "node:fs/promises";
import type { Reach } from "../ssh/reach.ts";
import type { SshTarget } from "../ssh/target.ts";
import type { Layout } from "../store/layout.ts";
import type { Entry } from "./entry.ts";
import type { Machines } from "./machines.ts";
import type { MachineRegistry } from "./registry.ts";

export interface GuestReachDeps {
  readonly layout: Layout;
  readonly registry: MachineRegistry;
  readonly machines: Machines;
}

const host = "127.0.0.1";

/** The way from a machine's name to its guest, for those who speak SSH. */
export function guestReach({
  layout,
  registry,
  machines,
}: GuestReachDeps): Reach {
  const targetOf = async (
    { record }: Pick<Entry, "record">,
    port: number,
  ): Promise<SshTarget> => ({
    host,
    port,
    user: record.user,
    privateKey: await readFile(layout.ssh.identity, "utf8"),
    hostKey: record.hostPublicKey,
  });

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
      return { host, port: handles.sshPort };
    },

    async target(machine, signal) {
      const entry = registry.find(machine);
      await machines.start(entry, { wait: true }, signal);
      const { handles } = machines.living(entry, "reach");
      return targetOf(entry, handles.sshPort);
    },

    async running(machine) {
      const entry = registry.find(machine);
      const { state, live } = entry;
      return state.kind === "running" && live !== undefined
        ? targetOf(entry, live.handles.sshPort)
        : undefined;
    },

    aliases: () => registry.entries().map(({ record }) => record.alias),
  };
}
