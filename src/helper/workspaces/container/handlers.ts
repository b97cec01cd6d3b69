/* Answers what runs in a VM with a dev container. Asks the engine over a connection to the VM, which is never started for it. */
import { withDeadline } from "../../../base/deadline.ts";
import type { containerMethods } from "../../../protocol/containers.ts";
import type { HandlersOf } from "../../../protocol/contract.ts";
import { failed, refused } from "../../../protocol/failure.ts";
import type { Machine } from "../../../protocol/machines.ts";
import { vmAliasOf } from "../../../protocol/vmAlias.ts";
import type { GuestAccess } from "../../ssh/guestAccess.ts";
import { withSessionTo } from "../../ssh/guestSession.ts";
import {
  engineCommand,
  type EngineProgram,
  type ListedService,
  listServices,
} from "./engine.ts";
import { findService } from "./services.ts";

export interface ContainerHandlerDeps {
  readonly program: EngineProgram;
  readonly reach: Pick<GuestAccess, "running">;
  /** By name, alias or id; throws `machines.unknown`. */
  readonly machine: (name: string) => Machine;
  /** The engine's id of the machine's dev container, where it is known. */
  readonly devContainer: (machine: string) => string | undefined;
}

/** An emulated guest under load takes some of them. */
const answerTakesMs = 15_000;

export const containerHandlers = (
  deps: ContainerHandlerDeps,
): HandlersOf<keyof typeof containerMethods> => ({
  "containers.list": async ({ machine: name }, { signal }) => {
    const machine = deps.machine(name);
    if (machine.container === undefined) return { services: [] };
    if (machine.state.kind !== "running")
      return { unknown: `the VM is ${machine.state.kind}` };
    try {
      const listed = await look(machine, deps, signal);
      return { services: listed.map(({ service }) => service) };
    } catch {
      signal.throwIfAborted();
      return { unknown: "the VM's container engine doesn't answer" };
    }
  },
  "containers.logs": async (
    { machine: name, service: wanted, follow = false, lines },
    { signal },
  ) => {
    const machine = deps.machine(name);
    if (machine.container === undefined)
      throw refused(
        "machines.wrongState",
        `“${machine.name}” has no dev container.`,
        { remedy: "Leave the service out to see the VM's own boot log." },
      );
    if (machine.state.kind !== "running")
      throw refused(
        "machines.wrongState",
        `“${machine.name}” isn't running, so the logs in it can't be read.`,
        { remedy: "Start it first." },
      );
    const listed = await look(machine, deps, signal).catch((cause: unknown) => {
      signal.throwIfAborted();
      throw failed(
        "workspaces.setupFailed",
        `The container engine of “${machine.name}” doesn't answer.`,
        { remedy: "Wait a moment and try again.", actions: ["retry"], cause },
      );
    });
    const service = findService(
      listed.map((each) => each.service),
      wanted,
    );
    return {
      service,
      alias: vmAliasOf(machine.alias),
      remoteCommand: engineCommand(await deps.program(), [
        ...["logs", service.id],
        ...[lines === undefined ? "all" : String(lines)],
        follow ? "follow" : "once",
      ]),
    };
  },
});

/** Throws `DeadlineError` when the guest doesn't answer in time. */
const look = (
  { id }: Machine,
  { reach, program, devContainer }: ContainerHandlerDeps,
  within: AbortSignal,
): Promise<ListedService[]> =>
  withDeadline(
    "the container engine's answer",
    answerTakesMs,
    async (signal) => {
      const target = await reach.running(id);
      if (target === undefined) throw new Error("it isn't running");
      return withSessionTo(
        target,
        (session) =>
          listServices({ session, program }, devContainer(id), 0, signal),
        signal,
      );
    },
    within,
  );
