/*
 * How an `up` begins: everything that can be refused is refused before anything is made, run or deleted; then it queues
 * behind whatever is done to its workspace. The request ends it for as long as it listens. With `until: "waitFor"` it stops
 * listening when an editor may open, and the rest goes on, with the branch's files that it needs. Called by the handlers
 * of `workspaces.up` and `workspaces.rebuild`.
 */
import { given } from "../../../base/given.ts";
import { promiseWithResolvers } from "../../../base/deadline.ts";
import type { RequestContext } from "../../../protocol/contract.ts";
import type { CameUp } from "../../../protocol/workspaces.ts";
import type { Clones } from "../branches/clones.ts";
import { openConfiguration } from "../branches/openConfiguration.ts";
import type { Configuration } from "../devcontainer/read.ts";
import { removeMachine } from "../down/remove.ts";
import { afterUseOf } from "../known/afterUse.ts";
import type {
  WorkspaceEntry,
  KnownWorkspaces,
} from "../known/knownWorkspaces.ts";
import type { UnderWay } from "../known/underWay.ts";
import { filesWish } from "../share/ofWorkspace.ts";
import { requireConsent } from "./hostCommand.ts";
import type { Plan } from "./plan.ts";
import { planFor, type PlanDeps } from "./planFor.ts";
import type { UpOrder } from "./run.ts";
import { bringUp, type Up } from "./up.ts";
import type { UpDeps, UpParams } from "./upDeps.ts";

export interface BeginDeps extends UpDeps, PlanDeps {
  readonly workspaces: KnownWorkspaces;
  readonly clones: Pick<Clones, "ofFolder">;
  readonly underWay: UnderWay;
}

/** The VM goes first; with `discard` even one that holds work that is nowhere else. */
export interface Rebuild {
  readonly discard: boolean;
}

/** Brings a folder, or a branch of it, up; answers when the request wants an answer. */
export async function upFolder(
  params: UpParams,
  deps: BeginDeps,
  { signal }: Pick<RequestContext, "signal">,
  rebuild?: Rebuild,
): Promise<CameUp> {
  const { layout, log } = deps;
  const opened = await openConfiguration(params, layout.work, signal);
  const close = (): Promise<void> =>
    opened[Symbol.asyncDispose]().catch((error: unknown) =>
      log.warn("a branch's files can't be removed", { error }),
    );
  const controller = new AbortController();
  const onAbort = (): void => controller.abort();
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    const { configuration } = opened;
    const wish = { configuration, params, rebuild, controller };
    const under = await begin(wish, deps).catch(async (error: unknown) => {
      await close();
      throw error;
    });
    // Its files are needed for as long as it goes on, whoever waits.
    const ended = under.ended.finally(close);
    // The rest goes on whoever listens; how it ends stands in the workspace's state.
    ended.catch((error: unknown) =>
      log.info("the rest of an up failed", { folder: params.folder, error }),
    );
    return await (params.until === "waitFor"
      ? under.openable
      : Promise.race([ended, under.lingering]));
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

interface Wish {
  readonly configuration: Configuration;
  readonly params: UpParams;
  readonly rebuild: Rebuild | undefined;
  /** Ends what is begun. */
  readonly controller: AbortController;
}

/** Refuses before anything is made, run or deleted, else begins. */
async function begin(wish: Wish, deps: BeginDeps): Promise<Up> {
  const { configuration, params, rebuild } = wish;
  const { workspaces, clones, underWay } = deps;
  requireConsent(configuration, params.initialize ?? "refuse", params.digest);
  const known = workspaces.find(configuration);
  // A rebuild takes nothing from before but the user's word.
  const found = rebuild === undefined ? known : undefined;
  const files = filesWish(params, found, workspaces);
  const plan = await planFor(configuration, params, deps, {
    files,
    ...given({ hostPathsBefore: known?.record.hostPaths }),
  });
  const entry = await workspaces.claim(
    configuration,
    (await clones.ofFolder(configuration.folder))?.url,
  );
  await noteAfterUse(entry, afterUseOf(plan.file), workspaces);
  const notes = await noteHostPaths(entry, plan, wish, workspaces);
  if (rebuild !== undefined) underWay.end(entry.record.id);
  else underWay.endLingering(entry.record.id);
  return queue(
    {
      ...{ entry, configuration, params },
      plan: { ...plan, notes: [...plan.notes, ...notes] },
    },
    wish,
    deps,
  );
}

/** Remembers the user's word on paths of this computer; says so where the container that is kept doesn't follow it. */
async function noteHostPaths(
  entry: WorkspaceEntry,
  { container }: Plan,
  { params, rebuild }: Wish,
  workspaces: KnownWorkspaces,
): Promise<string[]> {
  const decided = container?.decided;
  const { hostPaths: before, made } = entry.record;
  if (decided === undefined || decided === before) return [];
  await workspaces.rewrite(entry, {
    hostPaths: { ...decided, paths: [...decided.paths] },
  });
  const isKept =
    made?.container !== undefined &&
    rebuild === undefined &&
    params.container !== "fresh";
  return isKept && before !== undefined && before.wish !== decided.wish
    ? [
        "What the container sees of this computer changes once it is made again: guesthouse rebuild --container.",
      ]
    : [];
}

async function noteAfterUse(
  entry: WorkspaceEntry,
  afterUse: WorkspaceEntry["record"]["afterUse"],
  workspaces: KnownWorkspaces,
): Promise<void> {
  if (entry.record.afterUse !== afterUse)
    await workspaces.rewrite(entry, { afterUse });
}

/** Queues behind whatever is done to this workspace now, and brings it up. */
function queue(
  order: UpOrder,
  { rebuild, controller }: Pick<Wish, "rebuild" | "controller">,
  deps: BeginDeps,
): Up {
  const { workspaces, underWay } = deps;
  const { entry } = order;
  const { id } = entry.record;
  const { signal } = controller;
  const openable = promiseWithResolvers<CameUp>();
  const lingering = promiseWithResolvers<CameUp>();
  const ended = workspaces.locks.run(id, async () => {
    signal.throwIfAborted();
    return underWay.during(id, controller, async () => {
      if (rebuild !== undefined)
        await removeMachine(entry, rebuild.discard, deps, signal);
      const under = bringUp(
        order,
        {
          ...deps,
          onLingering: (workspace) => underWay.noteLingering(workspace),
        },
        signal,
      );
      under.openable.then(openable.resolve, openable.reject);
      under.lingering.then(lingering.resolve, lingering.reject);
      return under.ended;
    });
  });
  ended.catch(openable.reject);
  return { openable: openable.promise, lingering: lingering.promise, ended };
}
