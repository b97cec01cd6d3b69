import { portInGuest } from "../../protocol/forwards.ts";
import { refused } from "../../protocol/failure.ts";
import type { GuestAccess } from "../ssh/guestAccess.ts";
import { landingPort } from "../ssh/config.ts";
import { vmAliasOf } from "../../protocol/vmAlias.ts";
import type { Layout } from "../store/layout.ts";
import type { MachineHandles, MachineRecord } from "../store/records.ts";
import { guestHost, sshTarget } from "./identity/sshTarget.ts";
import type { Machines } from "./machines.ts";
import type { MachineRegistry } from "./roster/registry.ts";

interface RosterOnDisk {
  readonly layout: Layout;
  readonly registry: MachineRegistry;
}

/** Access to guests that run now. Nothing is started for it; `target` refuses with `machines.wrongState`. */
export function runningGuests({
  layout,
  registry,
}: RosterOnDisk): Pick<GuestAccess, "find" | "running" | "target"> {
  const running: GuestAccess["running"] = async (machine) => {
    const { record, state, live } = registry.find(machine);
    return state.kind === "running" && live !== undefined
      ? sshTarget(layout, record, live.handles.sshPort)
      : undefined;
  };
  return {
    running,
    find(machine) {
      const { record, live } = registry.find(machine);
      const { id, name, alias, user, os } = record;
      return { id, name, alias, user, os, port: live?.handles.sshPort };
    },
    async target(machine) {
      const target = await running(machine);
      if (target !== undefined) return target;
      const { name } = registry.find(machine).record;
      throw refused("machines.wrongState", `“${name}” isn't running.`, {
        remedy: "Start it first.",
      });
    },
  };
}

const landingPortOf = ({ forwards }: MachineHandles): number | undefined =>
  forwards.find((each) => portInGuest(each) === landingPort)?.hostPort;

/** Where the machine's alias leads. */
const portOf = (
  { landing }: Pick<MachineRecord, "landing">,
  handles: MachineHandles,
): number =>
  (landing === undefined ? undefined : landingPortOf(handles)) ??
  handles.sshPort;

/** Access from a machine's name to its guest, which is started where that is needed. */
export function guestAccess({
  layout,
  registry,
  machines,
}: RosterOnDisk & { readonly machines: Machines }): GuestAccess {
  return {
    ...runningGuests({ layout, registry }),

    async prepare(machine, signal) {
      const entry = registry.find(machine);
      if (entry.state.kind === "paused") await machines.resume(entry, signal);
      // One that was not reached so far may be by now: ssh itself finds out, with its own patience.
      if (entry.state.kind !== "unready")
        await machines.start(entry, { wait: true }, signal);
      const { handles } = machines.living(entry, "reach");
      const isVm = machine === vmAliasOf(entry.record.alias);
      return {
        host: guestHost,
        port: isVm ? handles.sshPort : portOf(entry.record, handles),
      };
    },

    async target(machine, signal) {
      const entry = registry.find(machine);
      await machines.start(entry, { wait: true }, signal);
      const { handles } = machines.living(entry, "reach");
      return sshTarget(layout, entry.record, handles.sshPort);
    },

    async landing(machine) {
      const { record } = registry.find(machine);
      const { handles } = machines.living(registry.find(machine), "reach");
      const port = landingPortOf(handles);
      if (record.landing === undefined || port === undefined)
        throw refused(
          "machines.wrongState",
          `“${record.name}” has no dev container that a connection could lead into.`,
          { remedy: "Bring its folder up first." },
        );
      return sshTarget(layout, { ...record, ...record.landing }, port);
    },

    aliases: () => registry.entries().map(({ record }) => record.alias),
  };
}
