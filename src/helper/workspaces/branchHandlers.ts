import { visible } from "../../base/visible.ts";
import type { branchMethods } from "../../protocol/branches.ts";
import type { HandlersOf } from "../../protocol/contract.ts";
import { refused } from "../../protocol/failure.ts";
import {
  branchNames,
  createBranch,
  findTip,
  gitIn,
  refsOf,
  tipOf,
} from "./branches/branches.ts";
import { notCloned } from "./branches/clones.ts";
import {
  isShared,
  type LeftoverDeps,
  leftoversOf,
} from "./branches/leftovers.ts";
import { soundRepository } from "./branches/soundRepository.ts";
import type { WorkspaceEntry } from "./up/registry.ts";

export interface BranchHandlerDeps extends LeftoverDeps {
  /** Ends what is done to a workspace now. */
  readonly end: (id: string) => void;
  readonly removeMachine: (
    entry: WorkspaceEntry,
    discard: boolean,
    signal: AbortSignal,
  ) => Promise<void>;
}

const usualUnusedDays = 30;

/** The contract's methods for branches, clones, and what is left of workspaces. */
export function branchHandlers(
  deps: BranchHandlerDeps,
): HandlersOf<keyof typeof branchMethods> {
  const { registry, clones } = deps;

  /** Refuses where the last workspace of a clone would take commits with it. */
  const demandPushed = async (
    entry: WorkspaceEntry,
    signal: AbortSignal,
  ): Promise<void> => {
    const clone = await clones.ofFolder(entry.record.folder);
    if (clone === undefined || isShared(entry, registry)) return;
    const branches = await clones.unpushed(clone, signal);
    if (branches.length > 0)
      throw refused(
        "machines.unsavedWork",
        `The clone of ${visible(clone.url)} has commits that nobody else has, on ${visible(branches.join(", "))}.`,
        {
          remedy: `Push them from ${clone.folder}, or delete the workspace with --discard.`,
        },
      );
  };

  return {
    "workspaces.branches": async ({ folder }, { signal }) => {
      const repository = await soundRepository(folder);
      const refs = await refsOf(repository, signal);
      const head = await gitIn(
        repository,
        ["symbolic-ref", "-q", "--short", "HEAD"],
        { fine: [0, 1, 128] },
        signal,
      );
      const current = head.stdout.trim();
      return {
        branches: branchNames(refs),
        ...(head.code === 0 && current !== "" ? { current } : {}),
      };
    },
    "workspaces.createBranch": async ({ folder, branch }, { signal }) => ({
      created: await createBranch(
        await soundRepository(folder),
        branch,
        signal,
      ),
    }),
    "workspaces.clone": async ({ url, branch, how = "clone" }, { signal }) => {
      const known = how === "fetch" ? undefined : await clones.find(url);
      if (known === undefined && how === "find") throw notCloned(url);
      const clone = known ?? (await clones.obtain(url, signal));
      const wanted = branch ?? (await clones.defaultBranch(clone, signal));
      const { folder } = clone;
      if (how !== "find") {
        const repository = await soundRepository(folder);
        const isNew = (await findTip(repository, wanted, signal)) === undefined;
        // It may have been made there since.
        if (isNew && known !== undefined) await clones.obtain(url, signal);
        await tipOf(repository, wanted, signal);
      }
      return { folder, branch: wanted };
    },
    "workspaces.leftovers": async ({ unusedDays }) => ({
      leftovers: await leftoversOf(deps, unusedDays ?? usualUnusedDays),
    }),
    "workspaces.delete": async ({ id, discard = false }, { signal }) => {
      const entry = registry.get(id);
      if (entry === undefined)
        throw refused("workspaces.unknown", `There is no workspace ${id}.`, {
          remedy: "guesthouse workspace list shows them.",
        });
      if (!discard) await demandPushed(entry, signal);
      deps.end(id);
      await registry.locks.run(id, async () => {
        await deps.removeMachine(entry, discard, signal);
        const clone = await clones.ofFolder(entry.record.folder);
        if (clone !== undefined && !isShared(entry, registry))
          await clones.remove(clone);
        await registry.forget(entry);
      });
      return {};
    },
  };
}
