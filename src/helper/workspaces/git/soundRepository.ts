import { lstat, readdir, readFile, realpath } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { isMissing } from "../../../base/files.ts";
import { visible } from "../../../base/visible.ts";
import { type GuesthouseError, refused } from "../../../protocol/failure.ts";

/** A repository of the host whose files all lie where they seem to. */
export interface SoundRepository {
  /** The top of its work tree, a real path. */
  readonly folder: string;
  /** Where its refs, objects and settings are; of a worktree, that of the main one. */
  readonly commonDir: string;
}

/**
 * The repository whose work tree's top `folder` is. git follows every pointer in `.git`, so one that somebody wrote by hand
 * could name another repository of this host, whose files would then go into a guest: no link is followed here, and a
 * worktree counts only when the repository that it names knows it. Runs nothing. Refuses with `request.invalid` and
 * `workspaces.outsideFolder`.
 */
export async function soundRepository(
  folder: string,
): Promise<SoundRepository> {
  const root = await realpath(folder).catch(() => folder);
  const dotGit = join(root, ".git");
  const kind = await kindOf(dotGit);
  if (kind === undefined)
    throw refused(
      "request.invalid",
      `${root} is not the top folder of a git repository, so it has no branches.`,
      { remedy: "Name the repository's top folder." },
    );
  if (kind === "link") throw leadsOut(dotGit);
  const commonDir =
    kind === "folder" ? dotGit : await mainOfWorktree(root, dotGit);
  if (kind === "folder" && (await kindOf(join(dotGit, "commondir"))))
    throw leadsOut(join(dotGit, "commondir"));
  await demandNoLinks(commonDir);
  if (await kindOf(join(commonDir, "objects", "info", "alternates")))
    throw refused(
      "workspaces.outsideFolder",
      `The repository in ${root} borrows from another one (objects/info/alternates).`,
      {
        remedy:
          "Make it whole first: git repack -a -d, then remove .git/objects/info/alternates.",
      },
    );
  return { folder: root, commonDir };
}

/** The file `.git` of a worktree names a folder of its own in the main repository, and that one names it. */
async function mainOfWorktree(root: string, dotGit: string): Promise<string> {
  const [, pointer = ""] =
    /^gitdir: (.+)$/m.exec(await readFile(dotGit, "utf8")) ?? [];
  const gitDir = await realpath(resolve(root, pointer)).catch(() => "");
  const back = await firstLine(join(gitDir, "gitdir"));
  const common = await firstLine(join(gitDir, "commondir"));
  if (gitDir === "" || back === undefined || common === undefined)
    throw leadsOut(dotGit);
  const commonDir = await realpath(resolve(gitDir, common)).catch(() => "");
  const known =
    dirname(gitDir) === join(commonDir, "worktrees") &&
    (await realpath(resolve(gitDir, back)).catch(() => "")) === dotGit;
  if (!known) throw leadsOut(dotGit);
  return commonDir;
}

const firstLine = async (path: string): Promise<string | undefined> =>
  (await readFile(path, "utf8").catch(() => undefined))?.split(/\r?\n/)[0];

async function demandNoLinks(commonDir: string): Promise<void> {
  const look = async (path: string, depth: number): Promise<void> => {
    const kind = await kindOf(path);
    if (kind === "link") throw leadsOut(path);
    if (kind !== "folder" || depth === 0) return;
    for (const entry of await readdir(path, { withFileTypes: true })) {
      if (entry.isSymbolicLink()) throw leadsOut(join(path, entry.name));
      if (entry.isDirectory()) await look(join(path, entry.name), depth - 1);
    }
  };
  for (const name of ["HEAD", "config", "packed-refs", "shallow", "reftable"])
    await look(join(commonDir, name), 1);
  await look(join(commonDir, "refs"), Infinity);
  await look(join(commonDir, "objects"), 2);
}

async function kindOf(
  path: string,
): Promise<"link" | "folder" | "file" | undefined> {
  try {
    const found = await lstat(path);
    if (found.isSymbolicLink()) return "link";
    return found.isDirectory() ? "folder" : "file";
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

const leadsOut = (path: string): GuesthouseError =>
  refused(
    "workspaces.outsideFolder",
    `${visible(basename(path))} of the repository leads elsewhere (${visible(path)}), so what would go into the VM is not its own.`,
    { remedy: "Clone the repository anew, then try again." },
  );
