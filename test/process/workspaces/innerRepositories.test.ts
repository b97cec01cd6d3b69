import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import type { SshSession } from "../../../src/helper/ssh/session.ts";
import type { BroughtBack } from "../../../src/helper/workspaces/bringBack/bringBack.ts";
import { bringBackAll } from "../../../src/helper/workspaces/bringBack/bringBackAll.ts";
import { innerRepositories } from "../../../src/helper/workspaces/bringBack/inner.ts";
import { copyFolderIn } from "../../../src/helper/workspaces/copying/copyFolder.ts";
import { missing } from "../ssh/realSshd.ts";
import {
  copiedOverSsh,
  forget,
  git,
  repositoryAt,
  subject,
  workspaceAt,
} from "./workspaceOverSsh.ts";

/*
 * Repositories in the repository that was copied: submodules, submodules of submodules, clones, and what is made there.
 */
describe.skipIf(missing)(
  `repositories in a copied folder keep their work (skipped where ${missing ?? "it is missing"})`,
  () => {
    const at = copiedOverSsh();
    const { copyIn, unsaved, scratch } = at;
    let session: SshSession;
    let here: string;
    let there: string;
    beforeEach(() => {
      ({ session, here, there } = at);
    });

    const bringBack = (): Promise<BroughtBack> =>
      bringBackAll(workspaceAt(session, there), {
        folder: here,
        branch: "back",
        named: false,
        ...{ subject, scratch },
      });
    const commit = async (folder: string, name: string): Promise<void> => {
      await writeFile(join(folder, name), `${name}\n`);
      await git(folder, "add", "-A");
      await git(folder, "commit", "-qm", `commit of ${name}`);
    };
    const nothing = { files: [], fileCount: 0, commits: [], commitCount: 0 };

    /** `here` with a submodule `lib`, which has one of its own, `lib/deep er`. */
    async function withSubmodules(): Promise<void> {
      const sources = join(at.sshd.folder, `sources-${String(at.round)}`);
      const allow = ["-c", "protocol.file.allow=always"];
      const add = async (to: string, from: string, path: string) => {
        await git(to, ...allow, "submodule", "add", "-q", from, path);
        await git(to, "commit", "-qm", `with ${path}`);
      };
      await repositoryAt(join(sources, "deep"));
      await repositoryAt(join(sources, "lib"));
      await add(join(sources, "lib"), join(sources, "deep"), "deep er");
      await repositoryAt(here);
      await add(here, join(sources, "lib"), "lib");
      await git(
        here,
        ...[...allow, "submodule", "update", "-q", "--init", "--recursive"],
      );
    }

    test("a submodule is a working repository there; its changes are named, and come back (F1)", async () => {
      await withSubmodules();
      await copyIn();
      for (const path of ["", "lib", "lib/deep er"])
        expect(await git(join(there, path), "status", "--porcelain")).toBe("");
      expect(await unsaved()).toMatchObject(nothing);
      await writeFile(join(there, "lib", "changed"), "after\n");
      await writeFile(join(there, "lib", "deep er", "new ü"), "new\n");
      expect(await unsaved()).toMatchObject({
        files: ["lib/changed", "lib/deep er/new ü"],
      });
      const brought = await bringBack();
      expect(brought).toMatchObject({
        kind: "branch",
        branches: [],
        inner: [
          { repository: join(here, "lib", "deep er") },
          { repository: join(here, "lib") },
        ],
      });
      expect(await git(join(here, "lib"), "show", "back:changed")).toBe(
        "after",
      );
      expect(
        await git(join(here, "lib", "deep er"), "show", "back:new ü"),
      ).toBe("new");
      expect(await unsaved()).toMatchObject(nothing);
      // Nothing is checked out here.
      expect(await readFile(join(here, "lib", "changed"), "utf8")).toBe(
        "before\n",
      );
    });

    test("a commit in a submodule comes with the commit that names it (F2)", async () => {
      await withSubmodules();
      await copyIn();
      await commit(join(there, "lib"), "made");
      expect((await unsaved()).commits).toEqual([
        expect.stringMatching(/^[0-9a-f]+ commit of made \(lib\)$/),
      ]);
      await git(there, "add", "lib");
      await git(there, "commit", "-qm", "take it up");
      const made = await git(join(there, "lib"), "rev-parse", "HEAD");
      await bringBack();
      expect(await git(here, "rev-parse", "back:lib")).toBe(made);
      expect(await git(join(here, "lib"), "cat-file", "-t", made)).toBe(
        "commit",
      );
      expect(await unsaved()).toMatchObject(nothing);
    });

    test("a clone in the folder, on a branch of its own and with a stash (F2)", async () => {
      await repositoryAt(here);
      await repositoryAt(join(here, "inner"));
      await copyIn();
      expect(await unsaved()).toMatchObject(nothing);
      const inner = join(there, "inner");
      await writeFile(join(inner, "kept"), "stashed\n");
      await git(inner, "stash", "-q");
      await git(inner, "checkout", "-qb", "side");
      await commit(inner, "aside");
      expect((await unsaved()).commitCount).toBeGreaterThanOrEqual(2);
      expect(await bringBack()).toMatchObject({
        inner: [
          {
            branches: [
              { branch: "back" },
              { branch: expect.stringMatching(/^back-stash-[0-9a-f]{10}$/) },
            ],
          },
        ],
      });
      expect(await git(join(here, "inner"), "show", "back:aside")).toBe(
        "aside",
      );
      expect((await unsaved()).commits).toEqual([]);
    });

    test("what was dirty here when it was copied is nobody's work there", async () => {
      await repositoryAt(here);
      await repositoryAt(join(here, "inner"));
      await writeFile(join(here, "inner", "kept"), "changed here\n");
      await commit(join(here, "inner"), "unpushed");
      await writeFile(join(here, "inner", "kept"), "and once more\n");
      await copyIn();
      expect(await unsaved()).toMatchObject(nothing);
    });

    test("one that was made there stays unsaved, with its name, until it is somewhere else", async () => {
      await repositoryAt(here);
      await copyIn();
      const made = join(there, "made there");
      await repositoryAt(made);
      expect(await unsaved()).toMatchObject({
        files: ["made there"],
        commits: [expect.stringContaining("one (made there)")],
      });
      expect(await bringBack()).toMatchObject({
        branches: [{ branch: "back" }],
        left: ["made there"],
      });
      expect((await unsaved()).commitCount).toBe(1);
      const remote = join(at.sshd.folder, `remote-${String(at.round)}`);
      await git(made, "init", "-q", "--bare", remote);
      await git(made, "remote", "add", "origin", remote);
      await git(made, "push", "-q", "origin", "main");
      expect(await unsaved()).toMatchObject(nothing);
      await forget(made);
    });

    test("one without a commit doesn't keep the others from being looked at", async () => {
      await repositoryAt(here);
      await copyIn();
      for (const name of ["empty", "emp ty 2"]) {
        await mkdir(join(there, name));
        await git(join(there, name), "init", "-q");
      }
      await writeFile(join(there, "empty", "draft"), "draft\n");
      await writeFile(join(there, "own"), "own\n");
      expect((await unsaved()).files.sort()).toEqual(["empty/draft", "own"]);
      await bringBack();
      expect(await git(here, "show", "back:own")).toBe("own");
      expect((await unsaved()).files).toEqual(["empty/draft"]);
      for (const name of ["empty", "emp ty 2"]) await forget(join(there, name));
    });

    test("the files of one that git can't read any more count as work", async () => {
      await repositoryAt(here);
      await repositoryAt(join(here, "inner"));
      await copyIn();
      await rm(join(there, "inner", ".git", "HEAD"));
      await writeFile(join(there, "inner", ".git", "config"), "[broken");
      expect((await unsaved()).files).toContain("inner/kept");
    });

    test("a submodule that isn't checked out doesn't keep the copy for ever, and what is put into its folder is named", async () => {
      await withSubmodules();
      await git(here, "submodule", "deinit", "-q", "-f", "lib");
      await copyIn();
      expect(await unsaved()).toMatchObject(nothing);
      await writeFile(join(there, "lib", "work"), "work\n");
      expect((await unsaved()).files).toContain("lib/work");
    });

    test("commits of a submodule that was put away there are named", async () => {
      await withSubmodules();
      await copyIn();
      await commit(join(there, "lib"), "made");
      await git(there, "submodule", "deinit", "-q", "-f", "lib");
      expect((await unsaved()).commits).toEqual([
        expect.stringMatching(/commit of made \(lib\)$/),
      ]);
    });

    test("a folder whose files are tracked, made a repository there", async () => {
      await repositoryAt(here);
      await mkdir(join(here, "vend"));
      await commit(here, "vend/a");
      await copyIn();
      const vend = join(there, "vend");
      await git(vend, "init", "-q");
      await git(vend, "checkout", "-qb", "side");
      await commit(vend, "b");
      expect((await unsaved()).commits).toEqual([
        expect.stringContaining("commit of b (vend)"),
      ]);
      await forget(vend);
    });

    test("one that git can't look into keeps nothing of the others back, and is named", async () => {
      await repositoryAt(here);
      await repositoryAt(join(here, "inner"));
      await copyIn();
      await writeFile(join(there, "own"), "own\n");
      await writeFile(join(there, "inner", ".git", "index"), "broken");
      const work = await unsaved();
      expect(work.files).toContain("inner/");
      expect(work.files).toContain("own");
      expect(await bringBack()).toMatchObject({
        branches: [{ branch: "back" }],
        left: ["inner"],
      });
      expect(await git(here, "show", "back:own")).toBe("own");
      expect((await unsaved()).files).toEqual(["inner/"]);
    });

    test("what can't be moved here is said, also where nothing else has work", async () => {
      await repositoryAt(here);
      await repositoryAt(join(here, "inner"));
      await git(join(here, "inner"), "checkout", "-qb", "back");
      await copyIn();
      await writeFile(join(there, "inner", "kept"), "changed\n");
      expect(await bringBack()).toMatchObject({
        branches: [],
        left: ["inner"],
      });
      expect((await unsaved()).files).toEqual(["inner/kept"]);
    });

    test("a guest that lies about its repositories costs a bounded number of questions", async () => {
      let asked = 0;
      const names = Array.from({ length: 500 }, (_, i) => `r${String(i)}\0`);
      const liar = {
        exec: (_: string, options?: { onStdout?: (chunk: Buffer) => void }) => {
          asked += 1;
          options?.onStdout?.(Buffer.from(names.join("")));
          return Promise.resolve({ code: 0, stdout: "", stderr: "" });
        },
      } as unknown as SshSession;
      const { known, beyond } = await innerRepositories(
        workspaceAt(liar, there),
      );
      expect(asked).toBeLessThan(300);
      expect(known.length + beyond.length).toBeGreaterThan(500);
    });

    test("a worktree's repository lies elsewhere, and that is said", async () => {
      await repositoryAt(here);
      const tree = `${here}-tree`;
      await git(here, "worktree", "add", "-q", tree);
      const { notes } = await copyFolderIn(
        session,
        { folder: tree, target: there },
        () => undefined,
      );
      expect(notes).toEqual([expect.stringContaining("worktree")]);
    });

    test("a second copy asks about inner work, too", async () => {
      await withSubmodules();
      await copyIn();
      await writeFile(join(there, "lib", "changed"), "after\n");
      await writeFile(join(here, "kept"), "changed here\n");
      await expect(copyIn()).rejects.toMatchObject({
        failure: { code: "workspaces.conflict" },
      });
    });
  },
);
