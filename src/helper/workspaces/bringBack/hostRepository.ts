/*
 * The host's half of bringing commits back. What a guest sends is unpacked apart and checked there; it moves into the user's
 * repository only when it is whole and sound, and no branch moves but forward. Nothing is checked out and no hook runs.
 * Called by `bringBack.ts`; `../branches/` uses its look-ups.
 */
import { copyFile, mkdir, readdir, rename, rm, statfs } from "node:fs/promises";
import { isAbsolute, join, resolve } from "node:path";
import type { Readable } from "node:stream";
import { visible } from "../../../base/visible.ts";
import { refused } from "../../../protocol/failure.ts";
import { hostGit, isForeign } from "../git/hostGit.ts";
import type { Wanted } from "./plan.ts";

/** A repository of the host that takes commits from a guest. */
export interface HostRepository {
  readonly folder: string;
  /** Its object store, absolute. */
  readonly objects: string;
}

/**
 * The repository that `folder` is in, or undefined. Throws `host.toolMissing`; refuses with `request.invalid` where it belongs to
 * somebody else: that it is one must not be forgotten over it (F8).
 */
export async function findRepository(
  folder: string,
  signal?: AbortSignal,
): Promise<HostRepository | undefined> {
  const { code, stdout, stderr } = await hostGit(
    folder,
    ["rev-parse", "--git-path", "objects"],
    { fine: [0, 128] },
    signal,
  );
  if (isForeign(stderr))
    throw refused(
      "request.invalid",
      `The repository in ${visible(folder)} belongs to another user of this computer, so git takes no commits into it.`,
      {
        remedy: `If you trust it: git config --global --add safe.directory '${visible(folder)}'. Or bring the changes back as files (--to) or as a patch (--patch).`,
      },
    );
  if (code !== 0) return undefined;
  const objects = stdout.trim();
  return {
    folder,
    objects: isAbsolute(objects) ? objects : resolve(folder, objects),
  };
}

/** Which of these commits the repository has. */
export async function commitsHere(
  { folder }: HostRepository,
  commits: readonly string[],
  signal?: AbortSignal,
): Promise<string[]> {
  const { stdout } = await hostGit(
    folder,
    ["cat-file", "--batch-check=%(objectname) %(objecttype)"],
    { stdin: commits.map((commit) => `${commit}\n`).join("") },
    signal,
  );
  return stdout
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([, type]) => type === "commit")
    .map(([name]) => name ?? "");
}

/**
 * Takes a pack that a guest sends. It is unpacked in `scratch`, a folder of its own, with every check that git has
 * (`index-pack --strict`: hashes, links, `.git` in any spelling, paths that climb); only when all that `commits` reach is
 * there and sound do its files move into the repository. Nothing is checked out, no hook runs.
 * A bundle would not do: git fetches bundles without these checks before 2.46.
 */
export async function takePack(
  repository: HostRepository,
  {
    commits,
    pack,
    scratch,
  }: {
    readonly commits: readonly string[];
    readonly pack: Readable;
    readonly scratch: string;
  },
  signal?: AbortSignal,
): Promise<void> {
  const quarantine = join(scratch, "objects");
  await mkdir(join(quarantine, "pack"), { recursive: true, mode: 0o700 });
  const env = {
    GIT_OBJECT_DIRECTORY: quarantine,
    GIT_ALTERNATE_OBJECT_DIRECTORIES: repository.objects,
  };
  const { bavail, bsize } = await statfs(scratch);
  // A guest that never stops sending must not fill the host's disk.
  const most = Math.floor((bavail * bsize) / 2);
  await hostGit(
    repository.folder,
    [
      ...["index-pack", "--stdin", "--fix-thin", "--strict"],
      `--max-input-size=${String(most)}`,
    ],
    { stdin: pack, env },
    signal,
  );
  const reachable = commits.map((commit) => `${commit}^{commit}\n`).join("");
  await hostGit(
    repository.folder,
    ["rev-list", "--objects", "--quiet", "--stdin", "--not", "--all"],
    { stdin: reachable, env },
    signal,
  );
  await moveIn(join(quarantine, "pack"), join(repository.objects, "pack"));
}

/** git looks for indexes: what an index speaks of must be there before it. */
async function moveIn(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  const names = (await readdir(from)).filter((name) =>
    /^pack-[0-9a-f]+\.(pack|rev|idx)$/.test(name),
  );
  const last = (name: string): number => (name.endsWith(".idx") ? 1 : 0);
  for (const name of names.sort((a, b) => last(a) - last(b))) {
    const temporary = join(to, `tmp_${name}`);
    try {
      // The scratch folder may be on another disk.
      await copyFile(join(from, name), temporary);
      await rename(temporary, join(to, name));
    } finally {
      await rm(temporary, { force: true });
    }
  }
}

/**
 * Points branches at commits that are here, all or none. A branch that is there already only moves forward, and never
 * one that is checked out. Refuses with `request.invalid`.
 */
export async function pointBranches(
  { folder }: HostRepository,
  wanted: readonly Wanted[],
  signal?: AbortSignal,
): Promise<void> {
  const { stdout } = await hostGit(
    folder,
    ["worktree", "list", "--porcelain"],
    {},
    signal,
  );
  const checkedOut = new Set(
    stdout
      .split("\n")
      .filter((line) => line.startsWith("branch "))
      .map((line) => line.slice("branch ".length)),
  );
  const updates: string[] = [];
  for (const { branch, commit } of wanted) {
    const ref = `refs/heads/${branch}`;
    const before = await commitOf(folder, ref, signal);
    if (before === commit) continue;
    if (before === undefined) {
      updates.push(`create ${ref} ${commit}\n`);
      continue;
    }
    if (checkedOut.has(ref))
      throw refused(
        "request.invalid",
        `The branch ${branch} is checked out on this host.`,
        { remedy: "Name another one with --branch." },
      );
    const forward = await hostGit(
      folder,
      ["merge-base", "--is-ancestor", before, commit],
      { fine: [0, 1] },
      signal,
    );
    if (forward.code !== 0)
      throw refused(
        "request.invalid",
        `The branch ${branch} of this host has commits that the guest does not have.`,
        { remedy: "Name another one with --branch, or remove it first." },
      );
    updates.push(`update ${ref} ${commit} ${before}\n`);
  }
  if (updates.length === 0) return;
  await hostGit(
    folder,
    ["update-ref", "-m", "guesthouse: brought back", "--stdin"],
    { stdin: updates.join("") },
    signal,
  );
}

async function commitOf(
  folder: string,
  ref: string,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const { code, stdout } = await hostGit(
    folder,
    ["rev-parse", "-q", "--verify", `${ref}^{commit}`],
    { fine: [0, 1, 128] },
    signal,
  );
  return code === 0 ? stdout.trim() : undefined;
}

/** True for a name that a branch may have. Guests name theirs as they like. */
export async function isBranchName(
  folder: string,
  branch: string,
  signal?: AbortSignal,
): Promise<boolean> {
  if (branch.startsWith("-") || /[^\x21-\x7e\u00a0-\uffff]/.test(branch))
    return false;
  const { code } = await hostGit(
    folder,
    ["check-ref-format", `refs/heads/${branch}`],
    { fine: [0, 1] },
    signal,
  );
  return code === 0;
}
