import { copyFile, link, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { given } from "../../../base/given.ts";
import { faultPoint } from "../../../base/faultPoint.ts";
import { hasErrorCode, makePrivateFolder } from "../../../base/files.ts";
import { hostGit } from "../git/hostGit.ts";
import { gitIn, originRefs, type Ref, refsOf, tipOf } from "./branches.ts";
import type { SoundRepository } from "../git/soundRepository.ts";

/** A branch's files as they are at its tip, in a private folder of the host that goes again. */
export interface BranchTree {
  /** Called like the repository's folder. At first it holds only what configurations are made of. */
  readonly folder: string;
  /** Lays out all of the branch's files, and a repository like the one they come from. */
  complete(signal?: AbortSignal): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Where configurations and what belongs to them lie. */
const configPaths = [".devcontainer", ".devcontainer.json"];

/**
 * Lays a branch out in a new folder below `scratch`. A repository is made there that has nothing of the old one's settings and
 * hooks, nor of the user's, so no hook and no filter runs on the host; files of Git LFS stay pointers. Objects are
 * shared by hard links, where the disk allows. Refuses with `request.invalid` when there is no such branch.
 */
export async function openBranch(
  repository: SoundRepository,
  branch: string,
  scratch: string,
  signal?: AbortSignal,
): Promise<BranchTree> {
  const tip = await tipOf(repository, branch, signal);
  await makePrivateFolder(scratch);
  const parent = await mkdtemp(join(scratch, "branch-"));
  const remove = (): Promise<void> =>
    rm(parent, { recursive: true, force: true, maxRetries: 3 });
  const folder = join(parent, basename(repository.folder) || "workspace");
  const objects = join(repository.commonDir, "objects");
  const git = inOwn(folder, objects);
  try {
    await mkdir(folder, { mode: 0o700 });
    await git(
      ["init", "-q", "--template=", await objectFormat(repository, signal)],
      {},
      signal,
    );
    const { stdout } = await git(
      ["ls-tree", "-z", "--name-only", tip, "--", ...configPaths],
      { borrow: true },
      signal,
    );
    const present = stdout.split("\0").filter((name) => name !== "");
    if (present.length > 0)
      await git(
        ["checkout", "-q", tip, "--", ...present],
        { borrow: true },
        signal,
      );
    faultPoint("branch.laidOut");
  } catch (error) {
    await remove();
    throw error;
  }
  let completed: Promise<void> | undefined;
  const complete = async (signal?: AbortSignal): Promise<void> => {
    await shareObjects(objects, join(folder, ".git", "objects"), signal);
    await copyIfPresent(
      join(repository.commonDir, "shallow"),
      join(folder, ".git", "shallow"),
    );
    const refs = await refsOf(repository, signal);
    await git(
      ["update-ref", "--stdin", "-z"],
      { stdin: updatesOf(refs, branch, tip) },
      signal,
    );
    for (const [key, value] of await settingsOf(repository, refs, branch))
      await git(["config", "--local", key, value], {}, signal);
    await git(["symbolic-ref", "HEAD", `refs/heads/${branch}`], {}, signal);
    await git(["reset", "-q", "--hard"], {}, signal);
  };
  return {
    folder,
    complete: (within) => (completed ??= complete(within)),
    [Symbol.asyncDispose]: remove,
  };
}

interface OwnGitOptions {
  readonly stdin?: string;
  /** Objects are read where the branch comes from. */
  readonly borrow?: boolean;
}

/** Runs git in the private repository. */
const inOwn =
  (folder: string, objects: string) =>
  (
    args: readonly string[],
    { stdin, borrow = false }: OwnGitOptions,
    signal?: AbortSignal,
  ): ReturnType<typeof hostGit> =>
    hostGit(
      folder,
      ["-c", "core.longPaths=true", ...args],
      {
        ignoreUserConfig: true,
        remedy: "Look at the branch on this computer, then try again.",
        ...given({ stdin }),
        env: {
          GIT_DIR: join(folder, ".git"),
          GIT_WORK_TREE: folder,
          GIT_LITERAL_PATHSPECS: "1",
          ...(borrow ? { GIT_ALTERNATE_OBJECT_DIRECTORIES: objects } : {}),
        },
      },
      signal,
    );

async function objectFormat(
  repository: SoundRepository,
  signal?: AbortSignal,
): Promise<string> {
  const { stdout } = await gitIn(
    repository,
    ["rev-parse", "--show-object-format"],
    {},
    signal,
  );
  return `--object-format=${stdout.trim()}`;
}

/** For `git update-ref --stdin -z`. The branch is there also when only origin had it. Pure. */
export function updatesOf(
  refs: readonly Ref[],
  branch: string,
  tip: string,
): string {
  const own = `refs/heads/${branch}`;
  const others = refs.filter(({ name }) => name !== own);
  return [{ name: own, commit: tip }, ...others]
    .map(({ name, commit }) => `create ${name}\0${commit}\0`)
    .join("");
}

/** The guest pushes and fetches where the folder does. */
async function settingsOf(
  { commonDir }: SoundRepository,
  refs: readonly Ref[],
  branch: string,
): Promise<[string, string][]> {
  const { code, stdout } = await hostGit(
    commonDir,
    // By the file's own words: what it includes may lie anywhere.
    [
      ...["config", "--file", join(commonDir, "config"), "--no-includes"],
      ...["--get", "remote.origin.url"],
    ],
    { fine: [0, 1] },
  );
  const url = stdout.trim();
  if (code !== 0 || url === "") return [];
  const tracked = refs.some(({ name }) => name === `${originRefs}${branch}`);
  return [
    ["remote.origin.url", url],
    ["remote.origin.fetch", `+refs/heads/*:${originRefs}*`],
    ...(tracked
      ? ([
          [`branch.${branch}.remote`, "origin"],
          [`branch.${branch}.merge`, `refs/heads/${branch}`],
        ] satisfies [string, string][])
      : []),
  ];
}

/** Loose objects and packs; what else lies beside them belongs to the other repository. */
async function shareObjects(
  from: string,
  to: string,
  signal?: AbortSignal,
): Promise<void> {
  for (const entry of await readdir(from, { withFileTypes: true })) {
    signal?.throwIfAborted();
    const { name } = entry;
    const wanted =
      name === "pack"
        ? /^pack-[0-9a-f]+\.(?:pack|idx|rev)$/
        : /^[0-9a-f]{2}$/.test(name)
          ? /^[0-9a-f]{38,62}$/
          : undefined;
    if (wanted === undefined || !entry.isDirectory()) continue;
    await mkdir(join(to, name), { recursive: true, mode: 0o700 });
    const files = await readdir(join(from, name), { withFileTypes: true });
    await Promise.all(
      files
        .filter((file) => file.isFile() && wanted.test(file.name))
        .map((file) =>
          share(join(from, name, file.name), join(to, name, file.name)),
        ),
    );
  }
}

/** git never writes to an object that is there, so both may have the same file. */
async function share(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    const other = ["EXDEV", "EPERM", "EMLINK", "ENOTSUP", "EACCES"];
    if (!other.some((code) => hasErrorCode(error, code))) throw error;
    await copyFile(from, to);
  }
}

async function copyIfPresent(from: string, to: string): Promise<void> {
  await copyFile(from, to).catch((error: unknown) => {
    if (!hasErrorCode(error, "ENOENT")) throw error;
  });
}
