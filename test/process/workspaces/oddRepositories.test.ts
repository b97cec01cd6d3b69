import { execa } from "execa";
import { mkdir, mkdtemp, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import type { SshSession } from "../../../src/helper/ssh/session.ts";
import { bringBackPatch } from "../../../src/helper/workspaces/bringBack/bringBack.ts";
import { missing } from "../ssh/realSshd.ts";
import {
  copiedOverSsh,
  git,
  repositoryAt,
  subject,
  workspaceAt,
} from "./workspaceOverSsh.ts";

/* Repositories with settings, owners, bits and tags that could hide work, or keep it from coming back. */

describe.skipIf(missing)(
  `no setting of a repository hides its work (skipped where ${missing ?? "it is missing"})`,
  () => {
    const at = copiedOverSsh();
    const { copyIn, unsaved, toBranch } = at;
    let session: SshSession;
    let here: string;
    let there: string;
    beforeEach(() => {
      ({ session, here, there } = at);
    });

    test("a filter whose program isn't there doesn't keep anything back (F9)", async () => {
      await repositoryAt(here);
      await writeFile(join(here, ".gitattributes"), "*.dat filter=up\n");
      await writeFile(join(here, "a.dat"), "a\n");
      await git(here, "add", "-A");
      await git(here, "commit", "-qm", "data");
      for (const [key, value] of [
        ["clean", "no-such-program --of-the-host"],
        ["smudge", "no-such-program"],
        ["required", "true"],
      ] as const)
        await git(here, "config", `filter.up.${key}`, value);
      await copyIn();
      expect((await unsaved()).files).toEqual([]);
      await writeFile(join(there, "a.dat"), "changed\n");
      expect((await unsaved()).files).toEqual(["a.dat"]);
      expect(await toBranch("back")).toMatchObject({
        branches: [{ branch: "back" }],
        notes: [expect.stringContaining("“up”")],
      });
      expect(await git(here, "cat-file", "blob", "back:a.dat")).toBe("changed");
      expect((await unsaved()).files).toEqual([]);
    });

    test("a patch is the same whatever the settings for differences are there (F19)", async () => {
      await repositoryAt(here);
      await copyIn();
      await writeFile(join(there, "kept"), "kept\nmore\n");
      const file = join(at.sshd.folder, `plain-${String(at.round)}.patch`);
      const home = await mkdtemp(join(at.sshd.folder, "home-"));
      await writeFile(
        join(home, ".gitconfig"),
        "[diff]\n\tnoprefix = true\n\tmnemonicPrefix = true\n\tcontext = 0\n\texternal = false\n[color]\n\tui = always\n[core]\n\tquotePath = false\n",
      );
      const settings = `export XDG_CONFIG_HOME=${home} GIT_CONFIG_GLOBAL=${home}/.gitconfig GIT_DIR=/nowhere GIT_EXTERNAL_DIFF=false GIT_DIFF_OPTS=-u0; `;
      const unlike: SshSession = {
        ...session,
        start: (line, ...more) => session.start(`${settings}${line}`, ...more),
        exec: (line, ...more) => session.exec(`${settings}${line}`, ...more),
      };
      await bringBackPatch(workspaceAt(unlike, there), { file, subject });
      expect(await readFile(file, "utf8")).toContain(
        "--- a/kept\n+++ b/kept\n@@ -1 +1,2 @@",
      );
      await git(here, "apply", "--check", file);
    });

    test.skipIf(process.getuid?.() !== 0)(
      "a repository of somebody else goes in whole, and is not taken for a folder when it comes back (F8; as root)",
      async () => {
        await repositoryAt(here);
        await mkdir(join(here, "ignored"));
        await writeFile(join(here, "ignored", "tracked"), "tracked\n");
        await git(here, "add", "-f", "ignored/tracked");
        await git(here, "commit", "-qm", "two");
        await execa("chown", ["-R", "12345", here]);
        await copyIn();
        expect(await readdir(there)).toContain("ignored");
        await writeFile(join(there, "changed"), "after\n");
        await expect(toBranch("back")).rejects.toMatchObject({
          failure: {
            code: "request.invalid",
            message: expect.stringContaining("another user"),
          },
        });
      },
    );

    test("work that git was told not to look at, a tag's, a later stash", async () => {
      await repositoryAt(here);
      await copyIn();
      await git(there, "update-index", "--assume-unchanged", "kept");
      await git(there, "update-index", "--skip-worktree", "changed");
      await writeFile(join(there, "kept"), "assumed\n");
      await writeFile(join(there, "changed"), "skipped\n");
      expect((await unsaved()).files).toEqual(["changed", "kept"]);
      await toBranch("back");
      expect(await git(here, "show", "back:kept")).toBe("assumed");
      await git(there, "checkout", "-q", "--detach");
      await git(there, "commit", "-q", "--allow-empty", "-m", "released");
      await git(there, "tag", "-a", "v1", "-m", "v1");
      await git(there, "checkout", "-q", "main");
      expect((await unsaved()).commits).toEqual([
        expect.stringContaining("released"),
      ]);
      await writeFile(join(there, "old name"), "one\n");
      await git(there, "stash", "-q");
      expect(await toBranch("back")).toMatchObject({
        branches: [
          { branch: "back" },
          { branch: "back-tag-v1" },
          { branch: expect.stringContaining("back-stash-") },
        ],
      });
      expect((await unsaved()).commits).toEqual([]);
      await writeFile(join(there, "old name"), "two\n");
      await git(there, "stash", "-q");
      await toBranch("back");
      expect((await unsaved()).commits).toEqual([]);
    });

    test.skipIf(process.getuid?.() !== 0)(
      "files that another user has taken over there don't hide commits (as root)",
      async () => {
        await repositoryAt(here);
        await copyIn();
        await git(there, "checkout", "-qb", "side");
        await git(there, "commit", "-q", "--allow-empty", "-m", "aside");
        await git(there, "checkout", "-q", "main");
        await execa("chown", ["-R", "12345", there]);
        expect((await unsaved()).commits).toEqual([
          expect.stringContaining("aside"),
        ]);
      },
    );

    test("a look that fails is no word that there is no work: nothing is copied over it", async () => {
      await repositoryAt(here);
      await copyIn();
      await writeFile(join(there, "kept"), "work there\n");
      await writeFile(join(there, ".git", "index"), "broken");
      await writeFile(join(here, "kept"), "changed here\n");
      await expect(copyIn()).rejects.toMatchObject({
        failure: { code: "workspaces.conflict" },
      });
      expect(await readFile(join(there, "kept"), "utf8")).toBe("work there\n");
    });
  },
);
