/*
 * Brings the commits of a workspace back together with those of the repositories inside of it: first theirs, so that no commit
 * here names one of a submodule that isn't here. Called by `handlers.ts`.
 */
import { realpath } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { GuesthouseError } from "../../../protocol/failure.ts";
import type { GuestWorkspace } from "../git/guestGit.ts";
import { hostGit } from "../git/hostGit.ts";
import {
  bringBackCommits,
  type BroughtBack,
  type CommitsTo,
} from "./bringBack.ts";
import { innerOf, innerRepositories } from "./inner.ts";
import { ownWork } from "./unsaved.ts";

type Branch = Extract<BroughtBack, { kind: "branch" }>;
type InnerBranches = NonNullable<Branch["inner"]>;

/**
 * As `bringBackCommits`; `scratch` gives an empty folder for each repository. What an inner repository has stays unsaved where
 * the host has none in that place, or its branch can't be moved there: `left` says so.
 */
export async function bringBackAll(
  workspace: GuestWorkspace,
  to: Omit<CommitsTo, "scratch"> & { readonly scratch: () => Promise<string> },
  signal?: AbortSignal,
): Promise<BroughtBack> {
  const inner: InnerBranches = [];
  const left: string[] = [];
  const notes = new Set<string>();
  const { known, beyond } = await innerRepositories(workspace, signal);
  left.push(...beyond);
  for (const path of known) {
    const folder = await repositoryAt(to.folder, path, signal);
    const at = innerOf(workspace, path);
    if (folder === undefined) {
      if (await hasWork(at, signal)) left.push(path);
      continue;
    }
    try {
      const brought = await bringBackCommits(
        at,
        { ...to, folder, named: true, scratch: await to.scratch() },
        signal,
      );
      if (brought.kind !== "branch") continue;
      inner.push({ repository: folder, branches: brought.branches });
      for (const note of brought.notes ?? []) notes.add(note);
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof GuesthouseError)) throw error;
      if (await hasWork(at, signal)) left.push(path);
    }
  }
  const own = await bringBackCommits(
    workspace,
    { ...to, scratch: await to.scratch() },
    signal,
  );
  if (own.kind === "branch")
    for (const note of own.notes ?? []) notes.add(note);
  const more = {
    ...(inner.length === 0 ? {} : { inner }),
    ...(left.length === 0 ? {} : { left }),
    ...(notes.size === 0 ? {} : { notes: [...notes] }),
  };
  if (own.kind === "branch") return { ...own, ...more };
  // Only the repositories inside of it have work.
  if (own.kind === "nothing" && inner.length + left.length > 0)
    return { kind: "branch", repository: to.folder, branches: [], ...more };
  return own.kind === "files" ? { ...own, ...more } : own;
}

/** In itself; where that can't be told, it may have. */
async function hasWork(
  inner: GuestWorkspace,
  signal?: AbortSignal,
): Promise<boolean> {
  try {
    const { files, commits } = await ownWork(inner, { isInner: true }, signal);
    return files.length + commits.length > 0;
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof GuesthouseError) return true;
    throw error;
  }
}

/** The repository of the host that has its top in this place of the folder; undefined where there is none, or a link leads out. */
async function repositoryAt(
  root: string,
  path: string,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const folder = join(root, path);
  const places = await Promise.all([realpath(root), realpath(folder)]).catch(
    () => undefined,
  );
  if (places === undefined) return undefined;
  const [realRoot, real] = places;
  if (relative(realRoot, real).split(sep).join("/") !== path) return undefined;
  const { code, stdout } = await hostGit(
    folder,
    ["rev-parse", "--show-toplevel"],
    { fine: [0, 128] },
    signal,
  );
  if (code !== 0) return undefined;
  const top = await realpath(stdout.replace(/\n$/, "")).catch(() => undefined);
  return top === real ? folder : undefined;
}
