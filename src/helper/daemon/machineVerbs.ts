import { randomUUID } from "node:crypto";
import type {
  HandlersOf,
  ParsedParams,
  RequestContext,
} from "../../protocol/contract.ts";
import type { Machine } from "../../protocol/machines.ts";
import type { MachineRegistry } from "../machines/registry.ts";
import type { MachineVerbs } from "../workspaces/up/machineVerbs.ts";

type Used = HandlersOf<
  | "machines.create"
  | "machines.start"
  | "machines.resume"
  | "machines.stop"
  | "machines.delete"
>;

/** The machines' verbs for the workspaces' room: what a client would ask for, asked inside the helper. */
export function machineVerbs(
  handlers: Used,
  registry: MachineRegistry,
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
    noteFolder: (machine, folder) =>
      registry.rewrite(registry.find(machine), { folder }),
  };
}
