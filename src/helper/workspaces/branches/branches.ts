import { dirname } from "node:path";
import { refused } from "../../../protocol/failure.ts";
import { type GitOptions, hostGit } from "../git/hostGit.ts";
import { isBranchName } from "../bringBack/hostRepository.ts";
import type { SoundRepository } from "../git/soundRepository.ts";

export interface Ref {
  readonly name: string;
  readonly commit: string;
}

/** Runs git in a repository whose pointers were looked at: this one, or none. */
export function gitIn(
  { folder }: Pick<SoundRepository, "folder">,
  args: readonly string[],
  options: GitOptions = {},
  signal?: AbortSignal,
): ReturnType<typeof hostGit> {
  const env = { GIT_CEILING_DIRECTORIES: dirname(folder), ...options.env };
  const remedy = "Look at the repository on this computer, then try again.";
  return hostGit(folder, args, { remedy, ...options, env }, signal);
}

/** Branches, remote-tracking branches and tags; names that stand for another one are left out. */
export async function refsOf(
  repository: SoundRepository,
  signal?: AbortSignal,
): Promise<Ref[]> {
  const { stdout } = await gitIn(
    repository,
    [
      ...["for-each-ref", "--format=%(objectname) %(refname) %(symref)"],
      ...["refs/heads", "refs/remotes", "refs/tags"],
    ],
    {},
    signal,
  );
  return stdout
    .split("\n")
    .map((line) => line.split(" "))
    .flatMap(([commit = "", name = "", symbolic = ""]) =>
      name === "" || symbolic !== "" ? [] : [{ name, commit }],
    );
}

/** The branches that a VM can be made of, and the one that is checked out. */
export async function branchesIn(
  repository: SoundRepository,
  signal: AbortSignal,
): Promise<{ branches: string[]; current?: string }> {
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
}

/** Names of the branches that a VM can be made of: those here, then those that only origin has. */
export function branchNames(refs: readonly Ref[]): string[] {
  const below = (prefix: string): string[] =>
    refs
      .filter(({ name }) => name.startsWith(prefix))
      .map(({ name }) => name.slice(prefix.length));
  return [...new Set([...below("refs/heads/"), ...below(originRefs)])];
}

export const originRefs = "refs/remotes/origin/";

/**
 * The commit that a branch is at: the branch here, else that of origin; undefined when nobody has it. Refuses with
 * `request.invalid` a name that is none.
 */
export async function findTip(
  repository: SoundRepository,
  branch: string,
  signal?: AbortSignal,
): Promise<string | undefined> {
  await demandBranchName(repository.folder, branch, signal);
  for (const ref of [`refs/heads/${branch}`, `${originRefs}${branch}`]) {
    const commit = await commitAt(repository, ref, signal);
    if (commit !== undefined) return commit;
  }
  return undefined;
}

/** As `findTip`; a branch that nobody has is refused, too. */
export async function tipOf(
  repository: SoundRepository,
  branch: string,
  signal?: AbortSignal,
): Promise<string> {
  const commit = await findTip(repository, branch, signal);
  if (commit !== undefined) return commit;
  throw refused(
    "request.invalid",
    `${repository.folder} has no branch “${branch}”.`,
    { remedy: "Make it with --create-branch, or name another one." },
  );
}

/** Makes a branch where HEAD is. Answers false when it is there already. Nothing is checked out. */
export async function createBranch(
  repository: SoundRepository,
  branch: string,
  signal?: AbortSignal,
): Promise<boolean> {
  if ((await findTip(repository, branch, signal)) !== undefined) return false;
  const head =
    (await commitAt(repository, "HEAD", signal)) ??
    // A clone of ours has no branches of its own at first.
    (await commitAt(repository, `${originRefs}HEAD`, signal));
  if (head === undefined)
    throw refused("request.invalid", "The repository has no commit yet.", {
      remedy: "Make a first commit, then try again.",
    });
  await gitIn(
    repository,
    [
      ...["update-ref", "-m", "guesthouse: made for a VM"],
      ...[`refs/heads/${branch}`, head, ""],
    ],
    {},
    signal,
  );
  return true;
}

async function demandBranchName(
  folder: string,
  branch: string,
  signal?: AbortSignal,
): Promise<void> {
  if (await isBranchName(folder, branch, signal)) return;
  throw refused("request.invalid", `“${branch}” is no name of a branch.`, {
    remedy: "Give the name as `git branch` shows it.",
  });
}

async function commitAt(
  repository: SoundRepository,
  ref: string,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const { code, stdout } = await gitIn(
    repository,
    ["rev-parse", "-q", "--verify", `${ref}^{commit}`],
    { fine: [0, 1, 128] },
    signal,
  );
  return code === 0 ? stdout.trim() : undefined;
}
