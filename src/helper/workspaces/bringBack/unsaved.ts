import { posix } from "node:path";
import { failed, type GuesthouseError } from "../../../protocol/failure.ts";
import type { UnsavedWork } from "../../../protocol/machines.ts";
import { isFailure, listed, lookThrough, outerFirst } from "./inner.ts";
import { freshIndexScript } from "../git/freshIndex.ts";
import { type GuestWorkspace, inWorkspace } from "../git/guestGit.ts";

/** How many names are told; the counts are of all. */
const maxNamed = 50;

/**
 * Notes what a workspace is at this moment as what the host has, too. Where that can't be told (no git in the guest, a
 * repository that git does not take), its work stays unknown, and whoever asks for it is told so.
 * `others`: what may not be what the index says, where that is known of everything else (`freshIndex.ts`).
 */
export async function takeBase(
  workspace: GuestWorkspace,
  others?: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  const known = others && {
    args: [freshIndexScript],
    stdin: others.map((name) => `${name}\0`).join(""),
  };
  try {
    await lookThrough(
      workspace,
      (at, isInner) => listed("base", at, isInner ? {} : (known ?? {}), signal),
      signal,
    );
  } catch (error) {
    if (isFailure(error)) return;
    throw error;
  }
}

/**
 * What was made in a copied workspace and is nowhere else: files that differ from what was copied in or brought back and
 * from the last commit, and commits that neither the host nor a remote has. Ignored files don't count.
 * Throws `workspaces.failed`.
 */
export async function unsavedWork(
  workspace: GuestWorkspace,
  signal?: AbortSignal,
): Promise<UnsavedWork> {
  const all = outerFirst(
    await lookThrough(
      workspace,
      (at, isInner) => ownWork(at, { isInner }, signal),
      signal,
    ),
  );
  // Of one that can't be told, all of it.
  const files = all.flatMap(({ path, found, unseen }) => [
    ...found.files.map((name) => posix.join(path, name)),
    ...unseen.map((below) => `${below}/`),
  ]);
  const commits = all.flatMap(({ path, found }) =>
    found.commits.map((line) => (path === "" ? line : `${line} (${path})`)),
  );
  return {
    at: new Date().toISOString(),
    files: files.slice(0, maxNamed),
    fileCount: files.length,
    commits: commits.slice(0, maxNamed),
    commitCount: commits.length,
  };
}

/** Work in one repository alone. Throws `workspaces.failed`. */
export async function ownWork(
  workspace: GuestWorkspace,
  { isInner }: { readonly isInner: boolean },
  signal?: AbortSignal,
): Promise<Status> {
  const args = isInner ? ["inner"] : [];
  return parseStatus(await inWorkspace("status", workspace, { args }, signal));
}

/** In the order in which `status` of the guest's script prints them. */
const sectionNames = [
  "/saved",
  "/head",
  "/born",
  "/commits",
  "/inner",
  "/end",
] as const;

const noAnswer = (how: string): GuesthouseError =>
  failed("workspaces.failed", `The guest's answer ${how}.`, {
    remedy: "Try again.",
  });

/** What a repository says of itself. */
export interface Status {
  readonly files: readonly string[];
  /** Short hash and subject. */
  readonly commits: readonly string[];
  /** Folders of repositories inside of it. */
  readonly inner: readonly string[];
}

/** Reads those sections, all NUL-terminated. Throws `workspaces.failed` on anything else. Pure. */
export function parseStatus(output: string): Status {
  const sections = new Map<string, string[]>();
  let section: string[] | undefined;
  for (const item of output.split("\0"))
    // A path in git never begins with a slash, nor does a commit's hash.
    if (item.startsWith("/")) sections.set(item, (section = []));
    else if (item !== "") {
      // What nobody can place may be work: so it is no answer, either.
      if (section === undefined) throw noAnswer("makes no sense");
      section.push(item);
    }
  if (!sections.has("/end")) throw noAnswer("was cut off");
  if ([...sections.keys()].join() !== sectionNames.join())
    throw noAnswer("makes no sense");
  const of = (name: (typeof sectionNames)[number]): string[] =>
    sections.get(name) ?? [];
  const notInHead = new Set(of("/head"));
  const unborn = of("/born").length === 0;
  return {
    files: of("/saved").filter((path) => unborn || notInHead.has(path)),
    commits: of("/commits"),
    inner: of("/inner"),
  };
}
