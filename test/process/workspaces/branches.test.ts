import { execa } from "execa";
import { existsSync } from "node:fs";
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  realpath,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  createBranch,
  refsOf,
} from "../../../src/helper/workspaces/branches/branches.ts";
import {
  type BranchTree,
  openBranch,
} from "../../../src/helper/workspaces/branches/branchTree.ts";
import { commitsHere } from "../../../src/helper/workspaces/bringBack/hostRepository.ts";
import { openConfiguration } from "../../../src/helper/workspaces/branches/openConfiguration.ts";
import { soundRepository } from "../../../src/helper/workspaces/git/soundRepository.ts";
import { workspaceId } from "../../../src/helper/workspaces/known/knownWorkspaces.ts";
import { git, repositoryAt } from "./workspaceOverSsh.ts";

let root: string;
let here: string;
let scratch: string;
let witness: string;

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "gh-branches-")));
  here = join(root, "my wéb");
  scratch = join(root, "scratch");
  witness = join(root, "ran on the host");
  await repositoryAt(here);
});
afterEach(() => rm(root, { recursive: true, force: true }));

const commitOn = async (
  branch: string,
  files: Readonly<Record<string, string>>,
): Promise<void> => {
  await git(here, "checkout", "-qb", branch);
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(here, name, ".."), { recursive: true });
    await writeFile(join(here, name), text);
  }
  await git(here, "add", "-A", "-f");
  await git(here, "commit", "-qm", branch);
  await git(here, "checkout", "-q", "main");
};
const open = async (branch: string): Promise<BranchTree> =>
  openBranch(await soundRepository(here), branch, scratch);
const failing = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("a branch is laid out as it is at its tip", () => {
  test("whatever is checked out or changed in the folder, with history, modes, links, tags and origin's URL", async () => {
    await git(here, "remote", "add", "origin", "git@example.com:me/web.git");
    await git(here, "tag", "v1");
    await symlink("kept", join(here, "link"));
    await commitOn("feature/x", { "only there": "there\n" });
    await chmod(join(here, "mode.sh"), 0o755);
    await git(here, "commit", "-qam", "on main");
    await writeFile(join(here, "kept"), "not committed\n");
    await writeFile(join(here, "untracked"), "x");
    const before = await git(here, "for-each-ref");

    await using tree = await open("feature/x");
    expect(await readdir(tree.folder)).toEqual([".git"]);
    await tree.complete();
    expect(tree.folder.endsWith("/my wéb")).toBe(true);
    expect(await git(tree.folder, "status", "-sb")).toBe("## feature/x");
    expect(await readFile(join(tree.folder, "only there"), "utf8")).toBe(
      "there\n",
    );
    expect(await readFile(join(tree.folder, "kept"), "utf8")).toBe("kept\n");
    expect((await lstat(join(tree.folder, "link"))).isSymbolicLink()).toBe(
      true,
    );
    expect(await git(tree.folder, "config", "remote.origin.url")).toBe(
      "git@example.com:me/web.git",
    );
    expect(await git(tree.folder, "for-each-ref")).toBe(before);
    expect(await git(tree.folder, "fsck", "--strict")).toBe("");
    // It stands by itself: what goes into the guest must not lean on the host's folder.
    expect(
      existsSync(join(tree.folder, ".git", "objects", "info", "alternates")),
    ).toBe(false);
    expect(await git(here, "status", "--porcelain")).toContain(" M kept");
    expect(await git(here, "for-each-ref")).toBe(before);
  });

  test("from packs, from a worktree, and from a branch that only origin has", async () => {
    await commitOn("side", { side: "side\n" });
    await git(here, "gc", "-q");
    const upstream = join(root, "upstream");
    await repositoryAt(upstream);
    await git(upstream, "checkout", "-qb", "theirs");
    await git(upstream, "commit", "-q", "--allow-empty", "-m", "theirs");
    await git(here, "remote", "add", "origin", upstream);
    await git(here, "fetch", "-q", "origin");
    const worktree = join(root, "worktree");
    await git(here, "worktree", "add", "-q", worktree, "side");
    const repository = await soundRepository(worktree);
    await using tree = await openBranch(repository, "theirs", scratch);
    await tree.complete();
    expect(await git(tree.folder, "status", "-sb")).toBe(
      "## theirs...origin/theirs",
    );
    await using side = await openBranch(repository, "side", scratch);
    await side.complete();
    expect(await readFile(join(side.folder, "side"), "utf8")).toBe("side\n");
    expect(await git(side.folder, "fsck", "--strict")).toBe("");
  });

  test("its configuration is that of the branch, its identity that of folder and branch; nothing is left behind", async () => {
    await commitOn("feature", {
      ".devcontainer/devcontainer.json": '{ "name": "There" }',
    });
    const place = { folder: here, branch: "feature" };
    const opened = await openConfiguration(place, scratch);
    const { configuration } = opened;
    expect(configuration).toMatchObject({
      folder: here,
      branch: "feature",
      path: ".devcontainer/devcontainer.json",
      file: { name: "There" },
    });
    expect(await openConfiguration({ folder: here }, scratch)).toMatchObject({
      configuration: { path: undefined },
    });
    await opened[Symbol.asyncDispose]();
    expect(await readdir(scratch)).toEqual([]);
    const id = workspaceId(configuration);
    expect(id).not.toBe(workspaceId({ ...configuration, branch: "other" }));
    // Those of folders that were brought up before stay what they were.
    expect(workspaceId({ folder: "/home/me/web", path: undefined })).toBe(
      "3a5084e73d3210dd",
    );
  });

  test("a branch that is not there is refused, and made at HEAD where that is wanted", async () => {
    const repository = await soundRepository(here);
    expect(await failing(open("nobody"))).toMatchObject({
      failure: { code: "request.invalid" },
    });
    expect(await createBranch(repository, "nobody")).toBe(true);
    expect(await createBranch(repository, "nobody")).toBe(false);
    expect(await git(here, "rev-parse", "nobody")).toBe(
      await git(here, "rev-parse", "HEAD"),
    );
    expect(await git(here, "branch", "--show-current")).toBe("main");
  });

  test.each(["-f", "--upload-pack=touch x", "a..b", "a\nb", "@{-1}", "HEAD^"])(
    "no branch is called %j",
    async (branch) => {
      const repository = await soundRepository(here);
      for (const work of [
        () => open(branch),
        () => createBranch(repository, branch),
      ])
        expect(await failing(work())).toMatchObject({
          failure: { code: "request.invalid" },
        });
    },
  );
});

describe("a hostile repository runs nothing on the host", () => {
  /** Every setting and hook that git would start a program by leaves a file behind. */
  async function makeHostile(): Promise<void> {
    const evil = join(root, "evil");
    await writeFile(evil, `#!/bin/sh\ntouch '${witness}'\nexit 1\n`);
    await chmod(evil, 0o755);
    const hooks = join(here, ".git", "hooks");
    await mkdir(hooks, { recursive: true });
    for (const hook of [
      ...["post-checkout", "reference-transaction", "post-index-change"],
      ...["pre-auto-gc", "fsmonitor-watchman", "post-merge"],
    ])
      await symlink(evil, join(hooks, hook));
    for (const [key, value] of [
      ["core.hooksPath", hooks],
      ["core.fsmonitor", evil],
      ["core.sshCommand", evil],
      ["core.alternateRefsCommand", evil],
      ["core.pager", evil],
      ["core.editor", evil],
      ["uploadpack.packObjectsHook", evil],
      ["diff.external", evil],
      ["gpg.program", evil],
      ["log.showSignature", "true"],
      ["credential.helper", evil],
      ["filter.evil.smudge", evil],
      ["filter.evil.clean", evil],
      ["filter.evil.process", evil],
      ["filter.evil.required", "true"],
      ["protocol.ext.allow", "always"],
      ["protocol.allow", "always"],
      ["remote.origin.url", `ext::${evil}`],
      ["remote.origin.uploadpack", evil],
    ] as const)
      await git(here, "config", key, value);
  }

  test("not by hooks, filters, fsmonitor or any other program that its settings name", async () => {
    await commitOn("feature", {
      ".gitattributes": "* filter=evil\n",
      ".devcontainer.json": "{}",
      file: "text\n",
    });
    await makeHostile();
    await git(here, "status").catch(() => undefined);
    // So the trap is set: git itself goes into it.
    expect(existsSync(witness)).toBe(true);
    await rm(witness);
    await using tree = await open("feature");
    await tree.complete();
    await createBranch(await soundRepository(here), "another");
    expect(existsSync(witness)).toBe(false);
    expect(await readFile(join(tree.folder, "file"), "utf8")).toBe("text\n");
    const config = await readFile(join(tree.folder, ".git", "config"), "utf8");
    expect(config).not.toContain("filter");
    expect(config).not.toContain("fsmonitor");
    expect(existsSync(join(tree.folder, ".git", "hooks"))).toBe(false);
  });

  test("not to fetch objects that are missing, which its settings say where from", async () => {
    await commitOn("feature", { file: "text\n" });
    const blob = await git(here, "rev-parse", "feature:file");
    await makeHostile();
    for (const [key, value] of [
      ["core.repositoryFormatVersion", "1"],
      ["extensions.partialClone", "origin"],
      ["remote.origin.promisor", "true"],
    ] as const)
      await git(here, "config", key, value);
    const objects = join(here, ".git", "objects");
    await rm(join(objects, blob.slice(0, 2), blob.slice(2)));
    await git(here, "cat-file", "-p", blob).catch(() => undefined);
    expect(existsSync(witness)).toBe(true);
    await rm(witness);
    const host = { folder: here, objects };
    expect(await commitsHere(host, ["1".repeat(40)])).toEqual([]);
    const tree = await open("feature");
    expect(await failing(tree.complete())).toMatchObject({
      failure: { code: "workspaces.failed" },
    });
    await tree[Symbol.asyncDispose]();
    expect(existsSync(witness)).toBe(false);
  });

  test("nor by what the environment says to git", async () => {
    await commitOn("feature", { file: "text\n" });
    const other = join(root, "other");
    await repositoryAt(other);
    process.env["GIT_DIR"] = join(other, ".git");
    process.env["GIT_WORK_TREE"] = other;
    try {
      await using tree = await open("feature");
      await tree.complete();
      expect(existsSync(join(tree.folder, "file"))).toBe(true);
    } finally {
      delete process.env["GIT_DIR"];
      delete process.env["GIT_WORK_TREE"];
    }
  });

  test("files that would land in .git, or behind a link, don't", async () => {
    const blob = await git(here, "hash-object", "-w", "kept");
    const link = (
      await execa("git", ["-C", here, "hash-object", "-w", "--stdin"], {
        input: root,
      })
    ).stdout;
    const tree = (entries: string): Promise<string> =>
      execa("git", ["-C", here, "mktree"], { input: entries }).then(
        ({ stdout }) => stdout,
      );
    const inner = await tree(`100644 blob ${blob}\tescaped\n`);
    const evil = await tree(
      `120000 blob ${link}\tout\n040000 tree ${inner}\tplain\n`,
    );
    const commit = await git(here, "commit-tree", evil, "-m", "evil");
    await git(here, "branch", "evil", commit);
    await using laid = await open("evil");
    await laid.complete();
    expect(existsSync(join(root, "escaped"))).toBe(false);
    expect((await lstat(join(laid.folder, "out"))).isSymbolicLink()).toBe(true);
  });
});

describe("no other repository of the host goes into a guest", () => {
  let secret: string;
  beforeEach(async () => {
    secret = join(root, "secret");
    await repositoryAt(secret);
    await rm(join(here, ".git"), { recursive: true });
  });
  const refusal = async (): Promise<unknown> =>
    failing(soundRepository(here).then((found) => refsOf(found)));

  test("through a .git that is a link, or a file that names another one", async () => {
    const refused = { failure: { code: "workspaces.outsideFolder" } };
    await symlink(join(secret, ".git"), join(here, ".git"));
    expect(await refusal()).toMatchObject(refused);
    await rm(join(here, ".git"));
    await writeFile(join(here, ".git"), `gitdir: ${join(secret, ".git")}\n`);
    expect(await refusal()).toMatchObject(refused);
    // With a worktree's folder of its own making.
    const fake = join(here, "worktrees", "x");
    await mkdir(fake, { recursive: true });
    await writeFile(join(here, ".git"), `gitdir: ${fake}\n`);
    await writeFile(join(fake, "HEAD"), "ref: refs/heads/main\n");
    await writeFile(join(fake, "gitdir"), `${join(here, ".git")}\n`);
    await writeFile(join(fake, "commondir"), `${join(secret, ".git")}\n`);
    expect(await refusal()).toMatchObject(refused);
  });

  test.each([
    ["refs", "refs"],
    ["objects", "objects"],
    ["a branch", "refs/heads/main"],
  ])("through %s that is a link", async (_, name) => {
    await git(root, "init", "-q", here);
    await rm(join(here, ".git", name), { recursive: true, force: true });
    await symlink(join(secret, ".git", name), join(here, ".git", name));
    expect(await refusal()).toMatchObject({
      failure: { code: "workspaces.outsideFolder" },
    });
  });

  test("through borrowed objects, or a common folder elsewhere", async () => {
    await git(root, "init", "-q", here);
    const alternates = join(here, ".git", "objects", "info", "alternates");
    await writeFile(alternates, `${join(secret, ".git", "objects")}\n`);
    expect(await refusal()).toMatchObject({
      failure: { code: "workspaces.outsideFolder" },
    });
    await rm(alternates);
    await writeFile(
      join(here, ".git", "commondir"),
      `${join(secret, ".git")}\n`,
    );
    expect(await refusal()).toMatchObject({
      failure: { code: "workspaces.outsideFolder" },
    });
  });

  test("nor when the folder is only below one", async () => {
    const below = join(secret, "below");
    await mkdir(below);
    expect(await failing(soundRepository(below))).toMatchObject({
      failure: { code: "request.invalid" },
    });
    expect((await stat(below)).isDirectory()).toBe(true);
  });
});
