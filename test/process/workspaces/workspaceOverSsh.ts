import { execa } from "execa";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { SshSession } from "../../../src/helper/ssh/session.ts";
import {
  type GuestWorkspace,
  workspaceKey,
} from "../../../src/helper/workspaces/bringBack/guestGit.ts";

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
export async function repositoryAt(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await git(folder, "init", "-q");
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
