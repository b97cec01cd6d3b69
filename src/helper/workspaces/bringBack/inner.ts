/*
 * Repositories inside of a workspace's: submodules, clones, and those inside of these. Each is a workspace of its own, with its
 * own base, account and way back; the one around it only names it. Used by `unsaved.ts` and `bringBackAll.ts`.
 */
import { posix } from "node:path";
import { GuesthouseError } from "../../../protocol/failure.ts";
import { type GuestWorkspace, inWorkspace } from "../git/guestGit.ts";
import { isSafeName } from "./safeNames.ts";

/** Of one look at a workspace, in all depths together: nobody has more, but a guest that lies. */
export class InnerBudget {
  #left = 200;

  /** Which of these are looked into, and which are beyond that, or have a name that leads elsewhere. */
  take(
    inner: readonly string[],
    depth: number,
  ): { readonly known: readonly string[]; readonly beyond: readonly string[] } {
    const known: string[] = [];
    const beyond: string[] = [];
    for (const path of inner)
      if (depth < deepest && this.#left > 0 && isSafeName(path)) {
        this.#left -= 1;
        known.push(path);
      } else beyond.push(path);
    return { known, beyond };
  }
}

const deepest = 8;

/** A repository inside of a workspace's. */
export const innerOf = (
  { session, folder }: GuestWorkspace,
  path: string,
): GuestWorkspace => ({ session, folder: posix.join(folder, path) });

/** Of a list with a NUL after each. Pure. */
export const namesIn = (output: string): string[] =>
  output.split("\0").filter((name) => name !== "");

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
  { budget = new InnerBudget(), depth = 0 } = {},
): Promise<InnerRepositories> {
  const names = namesIn(await inWorkspace("inner", workspace, {}, signal));
  const here = budget.take(names, depth);
  const known: string[] = [];
  const beyond = [...here.beyond];
  for (const path of here.known) {
    const below = await innerRepositories(innerOf(workspace, path), signal, {
      budget,
      depth: depth + 1,
    }).catch((error: unknown) => {
      signal?.throwIfAborted();
      if (error instanceof GuesthouseError) return undefined;
      throw error;
    });
    if (below === undefined) {
      beyond.push(path);
      continue;
    }
    for (const each of below.beyond) beyond.push(posix.join(path, each));
    for (const each of below.known) known.push(posix.join(path, each));
    known.push(path);
  }
  return { known, beyond };
}
