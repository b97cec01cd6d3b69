/*
 * Repositories inside of a workspace's: submodules, clones, and those inside of these. Each is a workspace of its own, with its
 * own base, account and way back; the one around it only names it. Used by `unsaved.ts` and `bringBackAll.ts`.
 */
import { posix } from "node:path";
import { type GuestWorkspace, inWorkspace } from "../git/guestGit.ts";
import { isSafeName } from "./safeNames.ts";

/** Nobody has more, but a guest that lies. */
const mostInner = 200;
const deepest = 8;

/** Which inner repositories are looked into, and which are beyond that. Pure. */
export function placesOf(
  inner: readonly string[],
  depth: number,
): { readonly known: readonly string[]; readonly beyond: readonly string[] } {
  if (depth >= deepest) return { known: [], beyond: inner };
  const places = inner.filter(isSafeName).slice(0, mostInner);
  const known = new Set(places);
  return { known: places, beyond: inner.filter((path) => !known.has(path)) };
}

/** A repository inside of a workspace's. */
export const innerOf = (
  { session, folder }: GuestWorkspace,
  path: string,
): GuestWorkspace => ({ session, folder: posix.join(folder, path) });

/** Of a list with a NUL after each. Pure. */
export const namesIn = (output: string): string[] =>
  output.split("\0").filter((name) => name !== "");

/** All that a workspace has, relative to it, those inside of others before them. Throws `workspaces.failed`. */
export async function innerRepositories(
  workspace: GuestWorkspace,
  signal?: AbortSignal,
  depth = 0,
): Promise<string[]> {
  const names = namesIn(await inWorkspace("inner", workspace, {}, signal));
  const all: string[] = [];
  for (const path of placesOf(names, depth).known) {
    const below = await innerRepositories(
      innerOf(workspace, path),
      signal,
      depth + 1,
    );
    all.push(...below.map((each) => posix.join(path, each)), path);
  }
  return all;
}
