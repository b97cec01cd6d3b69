/*
 * Repositories inside of a workspace's: submodules, clones, and those inside of these. Each is a workspace of its own, with its
 * own base, account and way back; the one around it only names it. Used by `unsaved.ts` and `bringBackAll.ts`.
 */
import { posix } from "node:path";
import { GuesthouseError } from "../../../protocol/failure.ts";
import { type GuestWorkspace, inWorkspace } from "../git/guestGit.ts";
import { isSafeName } from "./safeNames.ts";

/** Of one look, in all depths together: only a guest that lies has more. */
const mostInner = 200;
const deepest = 8;

/** A repository of a workspace, and what a look at it found. */
export interface Seen<Found> {
  readonly at: GuestWorkspace;
  /** Relative to the workspace; empty for its own. */
  readonly path: string;
  readonly found: Found;
  /** Those inside of it. */
  readonly inner: readonly Seen<Found>[];
  /** Paths of those inside of it that can't be looked into, or aren't: there are too many, or their name leads elsewhere. */
  readonly unseen: readonly string[];
}

/**
 * Looks into a workspace's repository and all inside of it, from the outside in; each look tells of those one step further in.
 * Throws what the first look throws; where a later one fails with `workspaces.failed`, that repository is unseen.
 */
export function lookThrough<
  Found extends { readonly inner: readonly string[] },
>(
  workspace: GuestWorkspace,
  look: (at: GuestWorkspace, isInner: boolean) => Promise<Found>,
  signal?: AbortSignal,
): Promise<Seen<Found>> {
  let left = mostInner;
  const visit = async (
    at: GuestWorkspace,
    path: string,
    depth: number,
  ): Promise<Seen<Found>> => {
    const found = await look(at, depth > 0);
    const inner: Seen<Found>[] = [];
    const unseen: string[] = [];
    for (const name of found.inner) {
      const below = posix.join(path, name);
      if (depth >= deepest || left === 0 || !isSafeName(name)) {
        unseen.push(below);
        continue;
      }
      left -= 1;
      try {
        inner.push(await visit(innerOf(at, name), below, depth + 1));
      } catch (error) {
        signal?.throwIfAborted();
        if (!isFailure(error)) throw error;
        unseen.push(below);
      }
    }
    return { at, path, found, inner, unseen };
  };
  return visit(workspace, "", 0);
}

/** All of them, those inside of others behind them. */
export const outerFirst = <Found>(seen: Seen<Found>): Seen<Found>[] => [
  seen,
  ...seen.inner.flatMap(outerFirst),
];

/** All of them, those inside of others before them. */
const innerFirst = <Found>(seen: Seen<Found>): Seen<Found>[] => [
  ...seen.inner.flatMap(innerFirst),
  seen,
];

/** A look at a workspace has failed, and not the way to it. */
export const isFailure = (error: unknown): boolean =>
  error instanceof GuesthouseError &&
  error.failure.code === "workspaces.failed";

/** A repository inside of a workspace's. */
export const innerOf = (
  { session, folder }: GuestWorkspace,
  path: string,
): GuestWorkspace => ({ session, folder: posix.join(folder, path) });

/** What a verb of the guest's script lists, with a NUL after each. */
export async function listed(
  ...call: Parameters<typeof inWorkspace>
): Promise<{ readonly inner: readonly string[] }> {
  const output = await inWorkspace(...call);
  return { inner: output.split("\0").filter((name) => name !== "") };
}

export interface InnerRepositories {
  /** Relative to the workspace, those inside of others before them. */
  readonly known: readonly string[];
  /** Those that can't be looked into. */
  readonly beyond: readonly string[];
}

/** All that a workspace has. Throws `workspaces.failed` where it can't be asked itself. */
export async function innerRepositories(
  workspace: GuestWorkspace,
  signal?: AbortSignal,
): Promise<InnerRepositories> {
  const all = innerFirst(
    await lookThrough(
      workspace,
      (at) => listed("inner", at, {}, signal),
      signal,
    ),
  );
  return {
    known: all.map(({ path }) => path).filter((path) => path !== ""),
    beyond: all.flatMap(({ unseen }) => unseen),
  };
}
