import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type {
  HandlersOf,
  ParsedParams,
  RequestContext,
} from "../../../protocol/contract.ts";
import type { Machine } from "../../../protocol/machines.ts";
import type { MachineRegistry } from "../../machines/roster/registry.ts";
import type { PublishedPorts } from "../../machines/running/publishedPorts.ts";
import type { MachineRecord } from "../../store/records.ts";
import type { MachineVerbs } from "../../workspaces/known/machineVerbs.ts";

type Used = HandlersOf<
  | "machines.create"
  | "machines.start"
  | "machines.resume"
  | "machines.stop"
  | "machines.delete"
>;

const noPorts: MachineRecord["ports"] = { published: [], named: [] };

/** The machines' verbs for the workspaces' room: what a client would ask for, asked inside the helper. */
export function machineVerbs(
  handlers: Used,
  {
    registry,
    published,
    onRosterChanged,
  }: {
    readonly registry: MachineRegistry;
    readonly published: Pick<PublishedPorts, "ensure">;
    /** Writes the ssh config. */
    readonly onRosterChanged: () => Promise<void>;
  },
): MachineVerbs {
  const context = (signal: AbortSignal): RequestContext => ({
    requestId: `w${randomUUID().slice(0, 8)}`,
    signal,
  });
  return {
    list: (): Machine[] =>
      registry.entries().map((entry) => registry.view(entry)),
    create: async (params: ParsedParams<"machines.create">, signal) =>
      (await handlers["machines.create"](params, context(signal))).machine,
    start: async (machine, signal) => {
      const verb =
        registry.find(machine).state.kind === "paused" ? "resume" : "start";
      const answer = await handlers[`machines.${verb}`](
        { machine },
        context(signal),
      );
      return answer.machine;
    },
    stop: async (machine, signal) => {
      await handlers["machines.stop"]({ machine }, context(signal));
    },
    remove: async (machine, { discard }, signal) => {
      await handlers["machines.delete"]({ machine, discard }, context(signal));
    },
    noteLanding: async (machine, landing) => {
      await registry.rewrite(registry.find(machine), { landing });
      await onRosterChanged();
    },
    notePorts: async (machine, ports) => {
      const entry = registry.find(machine);
      if (!isDeepStrictEqual(entry.record.ports ?? noPorts, ports))
        await registry.rewrite(entry, { ports });
      await published.ensure(entry.record.id);
      return registry.view(entry);
    },
    noteFolder: (machine, folder) =>
      registry.rewrite(registry.find(machine), { folder }),
  };
}
