import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { PassThrough } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { z } from "zod";
import { sleep } from "../../../base/deadline.ts";
import { failed, refused } from "../../../protocol/failure.ts";
import type { broughtBackSchema } from "../../../protocol/bringBack.ts";
import {
  type GuestWorkspace,
  inWorkspace,
  streamFrom,
} from "../git/guestGit.ts";
import {
  commitsHere,
  findRepository,
  type HostRepository,
  isBranchName,
  pointBranches,
  takePack,
} from "./hostRepository.ts";
import {
  branchesOf,
  notesOf,
  type Offer,
  parseChanged,
  parseOffer,
  savedLines,
  type Wanted,
} from "./plan.ts";
import { demandSafe, writeFiles } from "./writeFiles.ts";

export type BroughtBack = z.output<typeof broughtBackSchema>;

/** Where commits go. */
export interface CommitsTo {
  readonly folder: string;
  readonly branch: string;
  /** Somebody named the branch: then anything but commits is refused. */
  readonly named: boolean;
  readonly subject: string;
  readonly scratch: string;
}

/** Takes a snapshot of the workspace in the guest. `subject` is that of the commit of what is not committed. */
async function prepare(
  workspace: GuestWorkspace,
  subject: string,
  signal?: AbortSignal,
): Promise<Offer> {
  const args = [subject];
  return parseOffer(await inWorkspace("prepare", workspace, { args }, signal));
}

/** Only now does the guest count it as saved: here it is whole. */
async function markSaved(
  workspace: GuestWorkspace,
  offer: Offer,
  kind: "commits" | "files",
  signal?: AbortSignal,
): Promise<void> {
  const stdin = savedLines(offer, kind);
  await inWorkspace("saved", workspace, { stdin }, signal);
}

/**
 * Brings the guest's commits, and one of what is not committed, into the repository that `folder` is in, as `branch`;
 * other branches and stashes as `branch-…`. Without a repository on either side the changed files are listed instead.
 * `scratch` is an empty folder of the caller's. Refuses with
 * `request.invalid` when a branch can't be moved there; throws `workspaces.failed` when what comes is not sound.
 */
export async function bringBackCommits(
  workspace: GuestWorkspace,
  to: CommitsTo,
  signal?: AbortSignal,
): Promise<BroughtBack> {
  const repository = await findRepository(to.folder, signal);
  const list = (): Promise<BroughtBack> =>
    bringBackFiles(workspace, { ...to, folder: undefined }, signal);
  if (repository === undefined) {
    if (!to.named) return list();
    throw refused("request.invalid", `${to.folder} is not a git repository.`, {
      remedy: "Bring the changes back as files, with --to and a folder.",
    });
  }
  if (!(await isBranchName(to.folder, to.branch, signal)))
    throw refused("request.invalid", `“${to.branch}” is no name of a branch.`, {
      remedy: "Give another one with --branch.",
    });
  const offer = await prepare(workspace, to.subject, signal);
  if (offer.kind === "plain") {
    if (!to.named) return list();
    throw refused(
      "request.invalid",
      `${workspace.folder} in the guest has no git history.`,
      { remedy: "Bring the changes back as files, with --to and a folder." },
    );
  }
  const wanted = await renamed(branchesOf(offer, to.branch), to, signal);
  if (wanted.length === 0) return { kind: "nothing" };
  await fetchCommits(
    workspace,
    { repository, scratch: to.scratch },
    { tips: offer.tips, wanted },
    signal,
  );
  await pointBranches(repository, wanted, signal);
  await markSaved(workspace, offer, "commits", signal);
  const notes = notesOf(offer);
  return {
    ...{ kind: "branch", repository: to.folder, branches: wanted },
    ...(notes.length === 0 ? {} : { notes }),
  };
}

/** The guest's own names, where they are names that git takes here too; else numbers. */
async function renamed(
  wanted: readonly Wanted[],
  {
    folder,
    branch: main,
  }: { readonly folder: string; readonly branch: string },
  signal?: AbortSignal,
): Promise<Wanted[]> {
  const all: Wanted[] = [];
  for (const [i, { branch, commit }] of wanted.entries()) {
    const fine = await isBranchName(folder, branch, signal);
    all.push({ branch: fine ? branch : `${main}-${String(i)}`, commit });
  }
  return all;
}

/** Time for the guest's last words after what it sent was refused here. */
const lastWordsMs = 1_000;

async function fetchCommits(
  workspace: GuestWorkspace,
  {
    repository,
    scratch,
  }: { readonly repository: HostRepository; readonly scratch: string },
  {
    tips,
    wanted,
  }: { readonly tips: Offer["tips"]; readonly wanted: readonly Wanted[] },
  signal?: AbortSignal,
): Promise<void> {
  const commits = wanted.map(({ commit }) => commit);
  const here = new Set(
    await commitsHere(repository, [...tips, ...commits], signal),
  );
  const missing = commits.filter((commit) => !here.has(commit));
  if (missing.length === 0) return;
  const command = await streamFrom("pack", workspace, [], signal);
  try {
    command.stdin.end(
      [
        ...missing,
        ...tips.filter((tip) => here.has(tip)).map((tip) => `^${tip}`),
        "",
      ].join("\n"),
    );
    // git here ends at the pack's last byte, and its input with it: the channel must outlive that, or its end is missed.
    const pack = new PassThrough();
    command.stdout.pipe(pack);
    try {
      await takePack(repository, { commits: missing, pack, scratch }, signal);
    } catch (error) {
      signal?.throwIfAborted();
      // git here stops on a broken stream: what the guest said of it is the cause, when it said something.
      const lastWords = command.failure().catch(() => undefined);
      throw (
        (await Promise.race([
          lastWords,
          sleep(lastWordsMs).then(() => undefined),
        ])) ?? error
      );
    }
    const failure = await command.failure();
    if (failure !== undefined) throw failure;
  } finally {
    command.stop();
  }
}

/** Writes one patch of everything that differs from what was copied in. */
export async function bringBackPatch(
  workspace: GuestWorkspace,
  to: { readonly file: string; readonly subject: string },
  signal?: AbortSignal,
): Promise<BroughtBack> {
  const offer = await prepare(workspace, to.subject, signal);
  if (offer.tree === offer.base) return { kind: "nothing" };
  const command = await streamFrom(
    "diff",
    workspace,
    [offer.base, offer.tree],
    signal,
  );
  command.stdin.end();
  const temporary = `${to.file}.${String(process.pid)}.tmp`;
  const file = createWriteStream(temporary, { flags: "wx", mode: 0o600 });
  try {
    await pipeline(command.stdout, file);
    const failure = await command.failure();
    if (failure !== undefined) throw failure;
    await rename(temporary, to.file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    command.stop();
  }
  await markSaved(workspace, offer, "files", signal);
  return { kind: "patch", file: to.file, bytes: file.bytesWritten };
}

/** Lists what differs from what was copied in and, where a folder is given, writes it there: deletions too. */
export async function bringBackFiles(
  workspace: GuestWorkspace,
  to: { readonly folder: string | undefined; readonly subject: string },
  signal?: AbortSignal,
): Promise<BroughtBack> {
  const offer = await prepare(workspace, to.subject, signal);
  const args = [offer.base, offer.tree];
  const files = parseChanged(
    await inWorkspace("changed", workspace, { args }, signal),
  );
  if (files.length === 0) return { kind: "nothing" };
  const { folder } = to;
  if (folder === undefined) return { kind: "files", files };
  demandSafe(files);
  const command = await streamFrom("tar", workspace, [], signal);
  try {
    command.stdin.end(
      files
        .filter(({ how }) => how !== "deleted")
        .map(({ name }) => `${name}\0`)
        .join(""),
    );
    await writeFiles(folder, files, command.stdout, signal);
    const failure = await command.failure();
    if (failure !== undefined)
      throw failed("workspaces.failed", failure.failure.message, {
        remedy: "Files changed meanwhile in the guest. Try again.",
      });
  } finally {
    command.stop();
  }
  await markSaved(workspace, offer, "files", signal);
  return { kind: "files", files, folder };
}
