import { execa } from "execa";
import ignore, { type Ignore } from "ignore";
import { lstat, readdir, stat } from "node:fs/promises";
import { isAbsolute, join, posix, relative, resolve, sep } from "node:path";
import { given } from "../../../base/given.ts";
import { readIfPresent } from "../../../base/files.ts";
import { refused } from "../../../protocol/failure.ts";
import { findProgram } from "../../processes/programs.ts";
import { withoutGit } from "../git/hostGit.ts";

/**
 * What of a folder belongs into its copy, relative, with forward slashes, folders before what is in them: everything
 * that .gitignore doesn't name, and `.git` itself, so that the copy is a working repository. git is asked where it is
 * installed and the folder is in a repository; the same rules are applied without it elsewhere.
 * Refuses with `request.invalid` when `folder` is not a folder.
 */
export async function listForCopy(
  folder: string,
  signal?: AbortSignal,
): Promise<string[]> {
  return listBelow(folder, folder, signal);
}

/** `root` is what is copied as a whole, `folder` a part of it. */
async function listBelow(
  root: string,
  folder: string,
  signal?: AbortSignal,
): Promise<string[]> {
  const found = await stat(folder).catch(() => undefined);
  if (found?.isDirectory() !== true)
    throw refused("request.invalid", `${folder} is not a folder.`, {
      remedy: "Give the path of an existing folder.",
    });
  const byGit = await listByGit(root, folder, signal);
  return byGit ?? listByRules(folder, [], "", signal);
}

/** Every file, link and folder below `folder`. */
export async function listAll(
  folder: string,
  signal?: AbortSignal,
): Promise<string[]> {
  signal?.throwIfAborted();
  const entries = await readdir(folder, { withFileTypes: true });
  const lists = await Promise.all(
    entries.map(async (entry) => {
      if (!entry.isDirectory()) return [entry.name];
      const inside = await listAll(join(folder, entry.name), signal);
      return [
        entry.name,
        ...inside.map((path) => posix.join(entry.name, path)),
      ];
    }),
  );
  return lists.flat();
}

/** Files that are looked at together. */
const batchCount = 256;

async function listByGit(
  root: string,
  folder: string,
  signal?: AbortSignal,
): Promise<string[] | undefined> {
  const listed = await execa(
    (await findProgram("git")) ?? "git",
    // A repository's own settings must not start programs: listing is done for folders that nobody trusts yet.
    [
      ...["-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false"],
      // So one that belongs to somebody else can be listed, too (F8).
      ...["-c", "safe.directory=*"],
      ...["-C", folder],
      ...["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    ],
    {
      reject: false,
      stdin: "ignore",
      stripFinalNewline: false,
      extendEnv: false,
      env: { ...withoutGit(process.env), GIT_OPTIONAL_LOCKS: "0" },
      maxBuffer: 512 * 1024 * 1024,
      ...given({ cancelSignal: signal }),
    },
  );
  signal?.throwIfAborted();
  if (listed.exitCode !== 0) return undefined;
  const paths = new Set<string>();
  const behindLink = linkFinder(folder);
  // In a submodule that isn't checked out it names the folder itself, as `./`.
  const names = listed.stdout
    .split("\0")
    .filter((path) => path !== "" && path !== "./");
  // Some at once: one after the other, ten thousand files take as long as all that follows.
  for (let i = 0; i < names.length; i += batchCount) {
    const found = await Promise.all(
      names.slice(i, i + batchCount).map(async (path) => {
        const name = path.replace(/\/$/, "");
        const hidden = await behindLink(name);
        // Without a kind it is still in the index, but deleted here.
        const kind = hidden ? undefined : await kindOf(join(folder, name));
        return { name, kind };
      }),
    );
    for (const { name, kind } of found) {
      if (kind === undefined) continue;
      paths.add(name);
      // A submodule or a repository inside this one: git names it, but not what is in it.
      if (kind === "folder")
        for (const inside of await listBelow(root, join(folder, name), signal))
          paths.add(posix.join(name, inside));
    }
  }
  const git = await kindOf(join(folder, ".git"));
  if (git === "folder")
    for (const inside of ["", ...(await listAll(join(folder, ".git"), signal))])
      paths.add(posix.join(".git", inside));
  else if (git === "other" && (await leadsInto(root, folder)))
    paths.add(".git");
  return [...paths];
}

/**
 * Whether a `.git` that is a file leads to a place that comes along, by a way that is the same in the guest: a submodule's does
 * (F1). A worktree's names a place of this computer.
 */
async function leadsInto(root: string, folder: string): Promise<boolean> {
  const path = join(folder, ".git");
  const found = await lstat(path);
  // A pipe would keep us waiting.
  if (!found.isFile() || found.size > 4096) return false;
  const text = await readIfPresent(path);
  const [, way] = /^gitdir: ([^\r\n]+)\r?\n?$/.exec(text ?? "") ?? [];
  if (way === undefined || isAbsolute(way)) return false;
  const from = relative(root, resolve(folder, way)).split(sep);
  return from[0] === ".git" || (from[0] !== ".." && from.includes(".git"));
}

/**
 * Tells whether a path leads through a symbolic link. git makes no such entries, but an index that somebody wrote by
 * hand may name `link/id_rsa`, where `link` points anywhere on the host.
 */
function linkFinder(folder: string): (path: string) => Promise<boolean> {
  const known = new Map<string, Promise<boolean>>();
  const isBehind = (path: string): Promise<boolean> => {
    const parent = posix.dirname(path);
    if (parent === "." || parent === "/") return Promise.resolve(false);
    let answer = known.get(parent);
    if (answer === undefined) {
      answer = isBehind(parent).then(
        async (above) => above || (await isLink(join(folder, parent))),
      );
      known.set(parent, answer);
    }
    return answer;
  };
  return isBehind;
}

const isLink = async (path: string): Promise<boolean> =>
  (await lstat(path).catch(() => undefined))?.isSymbolicLink() === true;

async function kindOf(path: string): Promise<"folder" | "other" | undefined> {
  try {
    return (await lstat(path)).isDirectory() ? "folder" : "other";
  } catch {
    return undefined;
  }
}

/** One .gitignore and the folder, relative to the root, whose paths it speaks of. */
interface Rules {
  readonly base: string;
  readonly rules: Ignore;
}

async function listByRules(
  root: string,
  outer: readonly Rules[],
  base: string,
  signal?: AbortSignal,
): Promise<string[]> {
  signal?.throwIfAborted();
  const text = await readIfPresent(join(root, base, ".gitignore"));
  const all =
    text === undefined
      ? outer
      : [...outer, { base, rules: ignore().add(text) }];
  const entries = await readdir(join(root, base), { withFileTypes: true });
  const paths: string[] = [];
  for (const entry of entries) {
    const path = posix.join(base, entry.name);
    if (isIgnored(path, entry.isDirectory(), all)) continue;
    paths.push(path);
    if (entry.name === ".git" && entry.isDirectory())
      for (const inside of await listAll(join(root, path), signal))
        paths.push(posix.join(path, inside));
    else if (entry.isDirectory())
      paths.push(...(await listByRules(root, all, path, signal)));
  }
  return paths;
}

/** The innermost .gitignore that says something decides (gitignore(5)). */
function isIgnored(
  path: string,
  isFolder: boolean,
  all: readonly Rules[],
): boolean {
  let ignored = false;
  for (const { base, rules } of all) {
    const relative = base === "" ? path : path.slice(base.length + 1);
    const verdict = rules.test(isFolder ? `${relative}/` : relative);
    if (verdict.ignored) ignored = true;
    if (verdict.unignored) ignored = false;
  }
  return ignored;
}
