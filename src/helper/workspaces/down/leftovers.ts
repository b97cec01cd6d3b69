import { stat } from "node:fs/promises";
import { given } from "../../../base/given.ts";
import { visible } from "../../../base/visible.ts";
import type { Leftover } from "../../../protocol/workspaces.ts";
import type { Machine } from "../../../protocol/machines.ts";
import { folderBytes } from "../../storage/storage.ts";
import type { Layout } from "../../store/layout.ts";
import type { MachineVerbs } from "../known/machineVerbs.ts";
import type {
  WorkspaceEntry,
  KnownWorkspaces,
} from "../known/knownWorkspaces.ts";
import type { Clones } from "../branches/clones.ts";

export interface LeftoverDeps {
  readonly layout: Layout;
  readonly workspaces: KnownWorkspaces;
  readonly machines: Pick<MachineVerbs, "list">;
  readonly clones: Clones;
}

const dayMs = 86_400_000;

/** Every workspace, and every machine without one, with what speaks for taking it away; the most useless first. */
export async function leftoversOf(
  deps: LeftoverDeps,
  unusedDays: number,
  now = Date.now(),
): Promise<Leftover[]> {
  const { layout, workspaces, machines, clones } = deps;
  const found: Leftover[] = [];
  const taken = new Set<string>();
  const ofMachine = async (machine: Machine) => {
    const lastUsedMs = await lastUsed(layout, machine, now);
    const running = isRunning(machine);
    return {
      machine: { id: machine.id, name: machine.name },
      lastUsedAt: new Date(lastUsedMs).toISOString(),
      running,
      unused: !running && now - lastUsedMs >= unusedDays * dayMs,
      bytes: await folderBytes(layout.machine(machine.id).folder),
    };
  };
  for (const entry of workspaces.entries()) {
    const { record } = entry;
    const machine = workspaces.machineOf(entry);
    if (machine !== undefined) taken.add(machine.id);
    const clone = await clones.ofFolder(record.folder);
    const {
      unused = false,
      bytes = 0,
      running = false,
      ...vm
    } = machine === undefined ? {} : await ofMachine(machine);
    const isThere = await stat(record.folder).then(
      (found) => found.isDirectory(),
      () => false,
    );
    found.push({
      kind: "workspace",
      id: record.id,
      title: record.title,
      folder: record.folder,
      ...given({ branch: record.branch }),
      ...(clone === undefined ? {} : { url: visible(clone.url) }),
      ...vm,
      why: [
        ...(isThere ? [] : ["folderGone" as const]),
        ...(machine === undefined ? ["machineGone" as const] : []),
        ...(unused ? ["unused" as const] : []),
      ],
      running,
      bytes:
        bytes + (clone === undefined ? 0 : await folderBytes(clone.folder)),
    });
  }
  for (const machine of machines.list()) {
    if (taken.has(machine.id)) continue;
    const { unused, ...vm } = await ofMachine(machine);
    found.push({
      kind: "machine",
      id: machine.id,
      title: machine.name,
      ...vm,
      why: unused ? ["unused"] : [],
    });
  }
  return found.sort(
    (a, b) =>
      Number(b.why.length > 0) - Number(a.why.length > 0) ||
      b.bytes - a.bytes ||
      a.title.localeCompare(b.title),
  );
}

const isRunning = ({ state }: Machine): boolean => state.kind !== "stopped";

/** A guest that runs writes to its disk, and to its handles when it starts. */
async function lastUsed(
  layout: Layout,
  machine: Machine,
  now: number,
): Promise<number> {
  if (isRunning(machine)) return now;
  const files = layout.machine(machine.id);
  const times = await Promise.all(
    [files.disk, files.state].map((path) =>
      stat(path).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      ),
    ),
  );
  return Math.max(Date.parse(machine.createdAt), ...times);
}

/** Does another workspace stand on the same folder? */
export const isShared = (
  { record }: WorkspaceEntry,
  workspaces: KnownWorkspaces,
): boolean =>
  workspaces
    .entries()
    .some(
      (other) =>
        other.record.id !== record.id && other.record.folder === record.folder,
    );
