import {
  chmod,
  lstat,
  mkdir,
  readFile,
  readdir,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import type { SshSession } from "../../../src/helper/ssh/session.ts";
import {
  bringBackFiles,
  bringBackPatch,
} from "../../../src/helper/workspaces/bringBack/bringBack.ts";
import { missing, type RealSshd } from "../ssh/realSshd.ts";
import {
  copiedOverSsh,
  git,
  repositoryAt,
  subject,
  workspaceAt,
} from "./workspaceOverSsh.ts";

describe.skipIf(missing)(
  `work comes back over OpenSSH's server (skipped where ${missing ?? "it is missing"})`,
  () => {
    const at = copiedOverSsh();
    const { copyIn, unsaved, toBranch } = at;
    let sshd: RealSshd;
    let session: SshSession;
    let here: string;
    let there: string;
    beforeEach(() => {
      ({ sshd, session, here, there } = at);
    });

    const workspace = () => workspaceAt(session, there);
    /** New, changed, deleted, renamed, binary, mode, symlink: what a change can be. */
    async function workThere(): Promise<void> {
      await mkdir(join(there, "new folder"));
      await writeFile(join(there, "new folder", "ü \n"), "new");
      await writeFile(join(there, "changed"), "after, no newline");
      await rm(join(there, "deleted"));
      await rename(join(there, "old name"), join(there, "new name"));
      const binary = Buffer.from(
        Array.from({ length: 5000 }, (_, i) => i % 256),
      );
      await writeFile(join(there, "binary"), binary);
      await chmod(join(there, "mode.sh"), 0o755);
      await symlink("../outside", join(there, "link"));
      await mkdir(join(there, "ignored"));
      await writeFile(join(there, "ignored", "x"), "x");
    }
    async function expectWorkIn(folder: string): Promise<void> {
      expect(
        (await readdir(folder)).filter((n) => n !== ".git").sort(),
      ).toEqual([
        ...[".gitignore", "binary", "changed", "kept", "link", "mode.sh"],
        ...["new folder", "new name"],
      ]);
      for (const name of ["binary", "changed", "new folder/ü \n", "new name"])
        expect(
          (await readFile(join(folder, name))).equals(
            await readFile(join(there, name)),
          ),
        ).toBe(true);
      expect((await stat(join(folder, "mode.sh"))).mode & 0o100).toBe(0o100);
      expect(await readlink(join(folder, "link"))).toBe("../outside");
    }
    /** Everything of a repository that a careless look at it would change. */
    async function fingerprint(folder: string): Promise<string[]> {
      return [
        await readFile(join(folder, ".git", "index"), "base64"),
        await git(folder, "for-each-ref"),
        await git(folder, "count-objects"),
        await readFile(join(folder, ".git", "HEAD"), "utf8"),
        (await readdir(join(folder, ".git"))).join(),
      ];
    }

    test("as a branch, byte for byte; index, refs and objects there and the work tree here stay as they are", async () => {
      await repositoryAt(here);
      await copyIn();
      await workThere();
      await git(there, "add", "binary");
      const before = await fingerprint(there);
      const treeHere = await git(here, "status", "--porcelain");
      expect(await toBranch("back")).toMatchObject({
        kind: "branch",
        branches: [{ branch: "back" }],
      });
      expect(await fingerprint(there)).toEqual(before);
      expect(await git(here, "status", "--porcelain")).toBe(treeHere);
      expect(await git(here, "log", "--format=%s", "back")).toBe(
        `${subject}\none`,
      );
      const out = join(sshd.folder, `out-${String(at.round)}`);
      await git(here, "worktree", "add", "-q", out, "back");
      await expectWorkIn(out);
    });

    test("as a patch that git apply takes, also above what was not committed here", async () => {
      await repositoryAt(here);
      await writeFile(join(here, "kept"), "kept\nand changed here\n");
      await writeFile(join(here, "own"), "untracked here\n");
      await copyIn();
      await workThere();
      await writeFile(join(there, "own"), "untracked here\nand there\n");
      const file = join(sshd.folder, `work-${String(at.round)}.patch`);
      expect(
        await bringBackPatch(workspace(), { file, subject }),
      ).toMatchObject({ kind: "patch", file });
      expect((await unsaved()).fileCount).toBe(0);
      await git(here, "apply", file);
      expect(await readFile(join(here, "own"), "utf8")).toContain("and there");
      await rm(join(here, "own"));
      await expectWorkIn(here);
    });

    test("a folder without git: listed, then written with deletions, and nothing beside what was listed", async () => {
      await mkdir(here);
      for (const name of ["changed", "deleted", "old name", "mode.sh", "kept"])
        await writeFile(join(here, name), `${name}\n`);
      await writeFile(join(here, ".gitignore"), "ignored/\n");
      await copyIn();
      expect(await unsaved()).toMatchObject({ fileCount: 0, commitCount: 0 });
      await workThere();
      expect((await unsaved()).files).toContain("new name");
      const listed = await bringBackFiles(workspace(), {
        folder: undefined,
        subject,
      });
      expect(listed).toMatchObject({ kind: "files" });
      expect(await readFile(join(here, "changed"), "utf8")).toBe("changed\n");
      expect((await unsaved()).fileCount).toBeGreaterThan(0);
      const to = { folder: here, subject };
      expect(await bringBackFiles(workspace(), to)).toMatchObject({
        folder: here,
      });
      await expectWorkIn(here);
      expect((await unsaved()).fileCount).toBe(0);
    });

    test("commits, other branches and stashes come too; a second time moves the branch forward", async () => {
      await repositoryAt(here);
      await copyIn();
      expect(await toBranch("back")).toEqual({ kind: "nothing" });
      await git(there, "checkout", "-qb", "side");
      await writeFile(join(there, "side"), "side\n");
      await git(there, "add", "-A");
      await git(there, "commit", "-qm", "on the side");
      await git(there, "checkout", "-q", "main");
      for (const text of ["first stash", "second stash"]) {
        await writeFile(join(there, "kept"), text);
        await git(there, "stash", "-q");
      }
      await writeFile(join(there, "a"), "a\n");
      await git(there, "add", "-A");
      await git(there, "commit", "-qm", "two");
      await writeFile(join(there, "b"), "b\n");
      const work = await unsaved();
      expect(work.files).toEqual(["b"]);
      expect(work.commits.map((line) => line.slice(8)).sort()).toContain("two");
      expect(work.commits.join("\n")).toContain("on the side");
      const first = await toBranch("back");
      expect(first).toMatchObject({
        branches: [
          { branch: "back" },
          { branch: "back-side" },
          { branch: expect.stringMatching(/^back-stash-/) },
          { branch: expect.stringMatching(/^back-stash-/) },
        ],
      });
      const stashes = await git(here, "branch", "--list", "back-stash-*");
      const kept = await Promise.all(
        stashes
          .split("\n")
          .map((name) => git(here, "show", `${name.trim()}:kept`)),
      );
      expect(kept.sort()).toEqual(["first stash", "second stash"]);
      expect(await git(here, "log", "--format=%s", "back")).toBe(
        `${subject}\ntwo\none`,
      );
      expect(await unsaved()).toMatchObject({ fileCount: 0, commitCount: 0 });

      await writeFile(join(there, "b"), "b again\n");
      await git(there, "add", "-A");
      await git(there, "commit", "-qm", "three");
      expect((await unsaved()).commitCount).toBe(1);
      await toBranch("back");
      expect(await git(here, "show", "back:b")).toBe("b again");
      expect(await git(here, "fsck", "--strict")).toBe("");
      expect(await unsaved()).toMatchObject({ fileCount: 0, commitCount: 0 });
    });

    test("a commit that was pushed from there is saved; what is ignored is no work", async () => {
      const remote = join(sshd.folder, `remote-${String(at.round)}.git`);
      await repositoryAt(here);
      await git(sshd.folder, "init", "-q", "--bare", remote);
      await git(here, "remote", "add", "origin", remote);
      await copyIn();
      await mkdir(join(there, "ignored"));
      await writeFile(join(there, "ignored", "x"), "x");
      expect((await unsaved()).fileCount).toBe(0);
      await writeFile(join(there, "kept"), "pushed\n");
      await git(there, "commit", "-qam", "two");
      expect((await unsaved()).commitCount).toBe(1);
      await git(there, "push", "-q", "origin", "main");
      expect(await unsaved()).toMatchObject({ fileCount: 0, commitCount: 0 });
    });

    test("what was not committed when it was copied is no work of the guest's, until it changes there", async () => {
      await repositoryAt(here);
      await writeFile(join(here, "kept"), "changed here\n");
      await writeFile(join(here, "new here"), "untracked\n");
      await copyIn();
      expect((await unsaved()).files).toEqual([]);
      expect(await git(there, "status", "--porcelain")).toBe(
        ' M kept\n?? "new here"',
      );
      await writeFile(join(there, "new here"), "more\n");
      expect((await unsaved()).files).toEqual(["new here"]);
    });

    test("a branch that is checked out, has commits of its own or a bad name is left alone", async () => {
      await repositoryAt(here);
      await copyIn();
      await writeFile(join(there, "a"), "a\n");
      const head = await git(here, "rev-parse", "main");
      await expect(toBranch("main")).rejects.toMatchObject({
        failure: { message: expect.stringContaining("checked out") },
      });
      for (const bad of ["-f", "a..b", "x.lock", "a b", "refs\nx"])
        await expect(toBranch(bad)).rejects.toMatchObject({
          failure: { code: "request.invalid" },
        });
      const own = await git(here, "commit-tree", "main^{tree}", "-m", "own");
      await git(here, "branch", "mine", own);
      await expect(toBranch("mine")).rejects.toMatchObject({
        failure: { code: "request.invalid" },
      });
      expect(await git(here, "rev-parse", "mine")).toBe(own);
      expect(await git(here, "rev-parse", "main")).toBe(head);
      expect((await unsaved()).fileCount).toBe(1);
    });

    test("hooks and settings of this repository start nothing", async () => {
      await repositoryAt(here);
      const proof = join(sshd.folder, `proof-${String(at.round)}`);
      for (const hook of ["reference-transaction", "post-index-change"])
        await writeFile(
          join(here, ".git", "hooks", hook),
          `#!/bin/sh\necho ${hook} >>'${proof}'\n`,
          { mode: 0o755 },
        );
      await copyIn();
      await rm(proof, { force: true });
      await writeFile(join(there, "a"), "a\n");
      await toBranch("back");
      await expect(lstat(proof)).rejects.toThrow();
      // So the trap is set: git itself goes into it.
      await git(here, "branch", "trapped");
      expect(await readFile(proof, "utf8")).toContain("reference-transaction");
    });
  },
);
