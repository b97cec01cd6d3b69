import { execa } from "execa";
import {
  mkdir,
  mkdtemp,
  realpath,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  listAll,
  listForCopy,
} from "../../../../../src/helper/workspaces/files/fileList.ts";

let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "list-")));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function write(...paths: string[]): Promise<void> {
  for (const path of paths) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), path);
  }
}

const git = (...args: string[]) =>
  execa("git", [
    ...["-C", folder, "-c", "user.name=t", "-c", "user.email=t@t"],
    ...args,
  ]);

const outsideGit = (paths: string[]): string[] =>
  paths.filter((path) => !path.startsWith(".git/")).sort();

test("a repository: tracked and new files and .git, but nothing ignored or deleted", async () => {
  await git("init", "-q");
  await write(
    "a.txt",
    "gone.txt",
    "sub/b.txt",
    "sub/keep.log",
    "x.log",
    "node_modules/m/i.js",
  );
  await writeFile(
    join(folder, ".gitignore"),
    "*.log\nnode_modules/\n!keep.log\n",
  );
  await git("add", "-A");
  await git("commit", "-qm", "x");
  await rm(join(folder, "gone.txt"));
  await write("new file ü.txt");
  const paths = await listForCopy(folder);
  expect(outsideGit(paths)).toEqual([
    ".git",
    ".gitignore",
    "a.txt",
    "new file ü.txt",
    "sub/b.txt",
    "sub/keep.log",
  ]);
  expect(paths).toContain(".git/HEAD");
  expect(paths).toContain(".git/objects");
});

test("a folder inside a repository follows the repository's rules and takes no .git", async () => {
  await git("init", "-q");
  await writeFile(join(folder, ".gitignore"), "*.log\n");
  await write("part/a.txt", "part/a.log", "other.txt");
  expect(await listForCopy(join(folder, "part"))).toEqual(["a.txt"]);
});

test("a repository inside a repository is copied with its own rules", async () => {
  await git("init", "-q");
  await write("a.txt", "inner/b.txt", "inner/c.log");
  await execa("git", ["-C", join(folder, "inner"), "init", "-q"]);
  await writeFile(join(folder, "inner", ".gitignore"), "*.log\n");
  const paths = await listForCopy(folder);
  expect(paths).toContain("inner/b.txt");
  expect(paths).toContain("inner/.git/HEAD");
  expect(paths).not.toContain("inner/c.log");
});

test("without a repository the same rules hold, nested ones too", async () => {
  await write(
    "a.txt",
    "x.log",
    "build/out.o",
    "sub/y.log",
    "sub/z.tmp",
    "deep/build/q",
  );
  await writeFile(join(folder, ".gitignore"), "*.log\n/build/\n");
  await writeFile(join(folder, "sub", ".gitignore"), "!y.log\n*.tmp\n");
  expect((await listForCopy(folder)).sort()).toEqual([
    ".gitignore",
    "a.txt",
    "deep",
    "deep/build",
    "deep/build/q",
    "sub",
    "sub/.gitignore",
    "sub/y.log",
  ]);
});

test("a repository's own fsmonitor program is not started by listing it", async () => {
  await git("init", "-q");
  await write("a.txt");
  const trap = join(folder, "trap.sh");
  await writeFile(trap, `#!/bin/sh\ntouch ${join(folder, "sprung")}\n`, {
    mode: 0o755,
  });
  await git("config", "core.fsmonitor", trap);
  expect(await listForCopy(folder)).not.toContain("sprung");
  expect(await listAll(folder)).not.toContain("sprung");
  // So the trap is set: git itself goes into it.
  await git("status");
  expect(await listAll(folder)).toContain("sprung");
});

test("everything below a folder, links not followed", async () => {
  await write("d/a");
  await symlink("..", join(folder, "d", "up"));
  expect((await listAll(folder)).sort()).toEqual(["d", "d/a", "d/up"]);
});

test("what is no folder is refused", async () => {
  await write("a");
  await expect(listForCopy(join(folder, "a"))).rejects.toMatchObject({
    failure: { kind: "refused", code: "request.invalid" },
  });
});

test("listing ends at once when it is cancelled", async () => {
  await write("a");
  await expect(listForCopy(folder, AbortSignal.abort())).rejects.toThrow();
});

test("an index that somebody wrote by hand reaches nothing behind a symbolic link", async () => {
  const outside = await mkdtemp(join(tmpdir(), "outside-"));
  try {
    await writeFile(join(outside, "id_rsa"), "secret");
    await git("init", "-q");
    await symlink(outside, join(folder, "link"));
    await write("a.txt");
    const { stdout: blob } = await git("hash-object", "-w", "a.txt");
    for (const path of ["link/id_rsa", "link/deeper/x"])
      await git(
        "update-index",
        "--add",
        "--cacheinfo",
        `100644,${blob},${path}`,
      );
    const paths = await listForCopy(folder);
    expect(paths.filter((path) => path.startsWith("link"))).toEqual(["link"]);
    expect(paths).toContain("a.txt");
  } finally {
    await rm(outside, { recursive: true });
  }
});
