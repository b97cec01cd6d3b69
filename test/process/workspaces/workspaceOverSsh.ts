import { execa } from "execa";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import {
  connectSsh,
  type SshSession,
} from "../../../src/helper/ssh/session.ts";
import type { UnsavedWork } from "../../../src/protocol/machines.ts";
import {
  bringBackCommits,
  type BroughtBack,
} from "../../../src/helper/workspaces/bringBack/bringBack.ts";
import { unsavedWork } from "../../../src/helper/workspaces/bringBack/unsaved.ts";
import {
  copyFolderIn,
  type FolderCopied,
} from "../../../src/helper/workspaces/copying/copyFolder.ts";
import {
  type GuestWorkspace,
  workspaceKey,
} from "../../../src/helper/workspaces/git/guestGit.ts";
import { type RealSshd, startSshd } from "../ssh/realSshd.ts";

export interface OverSsh {
  /** Of the test in its file, for further names. */
  round: number;
  sshd: RealSshd;
  session: SshSession;
  /** Where this test's folders may be made: one for the host's side, one for the guest's. */
  here: string;
  there: string;
}

/** A real sshd and a session for the tests around the call; what the far end keeps of each test's folder is removed. */
export function overSsh(): OverSsh {
  const at = { round: 0 } as OverSsh;
  beforeAll(async () => {
    at.sshd = await startSshd();
    at.session = await connectSsh(at.sshd.target);
  });
  afterAll(async () => {
    at.session.close();
    await at.sshd.close();
  });
  beforeEach(() => {
    at.round += 1;
    at.here = join(at.sshd.folder, `here-${String(at.round)}`);
    at.there = join(at.sshd.folder, `there it's ${String(at.round)}`);
  });
  afterEach(() => forget(at.there));
  return at;
}

/** Runs git as a person in `folder` would, without this computer's own settings. */
export async function git(folder: string, ...args: string[]): Promise<string> {
  const { stdout } = await execa(
    "git",
    [
      ...["-C", folder, "-c", "user.name=t", "-c", "user.email=t@example.com"],
      ...["-c", "init.defaultBranch=main", ...args],
    ],
    {
      stripFinalNewline: true,
      env: { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null" },
    },
  );
  return stdout;
}

/** A repository with one commit. */
export async function repositoryAt(
  folder: string,
  ...init: string[]
): Promise<void> {
  await mkdir(folder, { recursive: true });
  await git(folder, "init", "-q", ...init);
  await writeFile(join(folder, ".gitignore"), "ignored/\n");
  await writeFile(join(folder, "kept"), "kept\n");
  await writeFile(join(folder, "changed"), "before\n");
  await writeFile(join(folder, "deleted"), "gone soon\n");
  await writeFile(join(folder, "old name"), "renamed\n".repeat(20));
  await writeFile(join(folder, "mode.sh"), "#!/bin/sh\n", { mode: 0o644 });
  await git(folder, "add", "-A");
  await git(folder, "commit", "-qm", "one");
}

/** Where the far end keeps what it knows of a workspace: in the home folder of whoever logs in. */
export const storeOf = (folder: string): string =>
  join(homedir(), ".local/state/guesthouse/workspaces", workspaceKey(folder));

export const forget = (folder: string): Promise<void> =>
  rm(storeOf(folder), { recursive: true, force: true });

export const workspaceAt = (
  session: SshSession,
  folder: string,
): GuestWorkspace => ({ session, folder });

/** Of a test's two folders: the copy into the guest, the account of its work, and bringing its commits back. */
export interface CopiedOverSsh extends OverSsh {
  readonly copyIn: () => Promise<FolderCopied>;
  readonly unsaved: () => Promise<UnsavedWork>;
  /** An empty folder of this test's own. */
  readonly scratch: () => Promise<string>;
  readonly toBranch: (branch: string) => Promise<BroughtBack>;
}

/** What is committed in the end of what wasn't. */
export const subject = "not committed there";

export function copiedOverSsh(): CopiedOverSsh {
  const at = overSsh() as CopiedOverSsh;
  const workspace = (): GuestWorkspace => workspaceAt(at.session, at.there);
  const scratch = (): Promise<string> =>
    mkdtemp(join(at.sshd.folder, "scratch-"));
  return Object.assign(at, {
    copyIn: () =>
      copyFolderIn(
        at.session,
        { folder: at.here, target: at.there },
        () => undefined,
      ),
    unsaved: () => unsavedWork(workspace()),
    scratch,
    toBranch: async (branch: string) =>
      bringBackCommits(workspace(), {
        ...{ folder: at.here, branch, named: true, subject },
        scratch: await scratch(),
      }),
  });
}
