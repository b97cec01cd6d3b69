/*
 * One `up` while it is under way: what was ordered, its log, the stage that it is at, and what its client is told in the
 * end. Made by `up.ts` and handed to each stage; nothing of it outlives the `up`. A stage is told to everybody before its
 * work begins, and counts as done only when the work went well.
 */
import type { Machine } from "../../../protocol/machines.ts";
import type { CameUp, UpStage } from "../../../protocol/workspaces.ts";
import type { Configuration } from "../devcontainer/read.ts";
import { openLog, type WorkspaceLog } from "../guest/log.ts";
import type { Outdated, WorkspaceEntry } from "../known/knownWorkspaces.ts";
import type { Plan } from "./plan.ts";
import type { UpDeps, UpParams } from "./upDeps.ts";

export interface UpOrder {
  readonly entry: WorkspaceEntry;
  readonly configuration: Configuration;
  readonly plan: Plan;
  readonly params: UpParams;
}

export interface UpRun extends UpOrder {
  readonly deps: UpDeps;
  readonly log: WorkspaceLog;
  /** Does the work of a stage. */
  readonly stage: <T>(name: UpStage, work: () => Promise<T>) => Promise<T>;
  /** The stage that was begun last. */
  readonly current: () => UpStage;
  /** Sentences for the log and for the client. */
  readonly tell: (notes: readonly string[]) => void;
  /** What the client is told, as of now. */
  readonly cameUp: (machine: Machine) => CameUp;
}

/** Opens the log, and tells what the file says of the VM that only a rebuild brings about. */
export async function openRun(order: UpOrder, deps: UpDeps): Promise<UpRun> {
  const { entry, configuration, plan } = order;
  const { workspaces, layout } = deps;
  const { id } = entry.record;
  const outdated = outdatedBy(order);
  workspaces.noteOutdated(entry, outdated);
  const notes: string[] = [];
  const stages: CameUp["stages"] = [];
  let current: UpStage = "configuration";
  const log = await openLog(
    layout.workspace(id).log,
    `${new Date().toISOString()} ${configuration.folder}${configuration.branch === undefined ? "" : `, branch ${configuration.branch}`}`,
    (offset, text) => deps.onLogged(id, offset, text),
  );
  const tell = (told: readonly string[]): void => {
    for (const note of told) log.note(note);
    notes.push(...told);
  };
  for (const { message } of plan.warnings) log.note(`warning: ${message}`);
  tell(plan.notes);
  tell(outdated === undefined ? changesOf(order) : [outdated.outdated]);
  return {
    ...order,
    deps,
    log,
    tell,
    current: () => current,
    stage: async (name, work) => {
      current = name;
      const startedAt = performance.now();
      workspaces.enter(entry, name);
      log.mark(name);
      const value = await work();
      stages.push({ stage: name, tookMs: performance.now() - startedAt });
      return value;
    },
    cameUp: (machine) => ({
      workspace: workspaces.view(entry),
      alias: machine.alias,
      remoteFolder: entry.record.made?.workspaceFolder ?? "",
      user: machine.user,
      forwards: machine.runtime?.forwards ?? [],
      notes: [...notes],
      warnings: [...plan.warnings],
      stages: [...stages],
    }),
  };
}

/** What the file says of the VM or its container now, and the one made before is not. */
function outdatedBy({
  entry: { record },
  configuration: { path = "The configuration" },
  plan: { shapeDigest, container },
  params,
}: UpOrder): Outdated | undefined {
  const { made } = record;
  if (made === undefined) return undefined;
  if (made.shapeDigest !== shapeDigest)
    return {
      outdated: `${path} has changed what the VM is made of (image, size, user, ports or folders). Rebuild the VM to apply it.`,
      rebuild: "machine",
    };
  if (
    made.container === undefined ||
    params.container === "fresh" ||
    made.container.digest === container?.digest
  )
    return undefined;
  return {
    outdated: `${path} has changed since the container was made. Rebuild the container to apply it.`,
    rebuild: "container",
  };
}

/** Whether the file has changed since it was last brought up, while its VM is still there. */
function changesOf({
  entry: { record },
  configuration: { digest, path = "The configuration" },
}: UpOrder): string[] {
  return record.made === undefined ||
    record.fileDigest === undefined ||
    record.fileDigest === digest
    ? []
    : [`${path} has changed since the last up.`];
}
