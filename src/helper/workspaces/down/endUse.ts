import { toFailure } from "../../../protocol/failure.ts";
import type { AfterUse } from "../../machines/running/idle.ts";
import type { Layout } from "../../store/layout.ts";
import { noteInLog } from "../guest/log.ts";
import type {
  WorkspaceEntry,
  KnownWorkspaces,
} from "../known/knownWorkspaces.ts";
import type { MachineVerbs } from "../known/machineVerbs.ts";
import { removeMachine } from "./remove.ts";

export interface EndUseDeps {
  readonly layout: Layout;
  readonly workspaces: KnownWorkspaces;
  readonly machines: Pick<MachineVerbs, "remove" | "stop">;
  readonly onLogged: (id: string, offset: number, text: string) => void;
}

/**
 * Does what a workspace wants once its machine's last connection has ended. A machine with work that is nowhere else is
 * stopped and kept, and its log says so.
 */
export const endUse = (
  entry: WorkspaceEntry,
  act: AfterUse,
  deps: EndUseDeps,
): Promise<void> =>
  deps.workspaces.locks.run(entry.record.id, async () => {
    const machine = deps.workspaces.machineOf(entry);
    if (machine === undefined) return;
    const { signal } = new AbortController();
    if (act === "delete")
      try {
        await removeMachine(entry, false, deps, signal);
        return;
      } catch (error) {
        const { code, message } = toFailure(error);
        if (code !== "machines.unsavedWork") throw error;
        await noteKept(entry.record.id, message, deps);
      }
    await deps.machines.stop(machine.id, signal);
  });

const noteKept = (
  id: string,
  why: string,
  { layout, onLogged }: EndUseDeps,
): Promise<void> =>
  noteInLog(
    layout.workspace(id).log,
    `The VM is kept, and stopped, although it is ephemeral. ${why}`,
    (offset, text) => onLogged(id, offset, text),
  );
