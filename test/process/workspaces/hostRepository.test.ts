import { execa } from "execa";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  findRepository,
  type HostRepository,
  takePack,
} from "../../../src/helper/workspaces/bringBack/hostRepository.ts";
import { git, repositoryAt } from "./workspaceOverSsh.ts";

let folder: string;
let guest: string;
let host: HostRepository;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gh-take-"));
  guest = join(folder, "guest");
  await repositoryAt(guest);
  await repositoryAt(join(folder, "host"));
  host = (await findRepository(join(folder, "host")))!;
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function written(type: string, content: Buffer | string) {
  const { stdout } = await execa(
    "git",
    ["-C", guest, "hash-object", "-t", type, "--literally", "-w", "--stdin"],
    { input: content },
  );
  return stdout;
}

/** A commit of one tree with this entry, which no git would make by itself. */
async function commitOf(mode: string, name: string, object: string) {
  const entry = Buffer.concat([
    Buffer.from(`${mode} ${name}\0`),
    Buffer.from(object, "hex"),
  ]);
  const tree = await written("tree", entry);
  return git(guest, "commit-tree", tree, "-m", "evil");
}

async function packOf(...objects: string[]): Promise<Buffer> {
  const { stdout } = await execa(
    "git",
    ["-C", guest, "pack-objects", "-q", "--stdout"],
    { input: objects.join("\n"), encoding: "buffer", stripFinalNewline: false },
  );
  return Buffer.from(stdout);
}

async function packReaching(commit: string): Promise<Buffer> {
  const list = await git(guest, "rev-list", "--objects", commit);
  return packOf(...list.split("\n").map((line) => line.slice(0, 40)));
}

async function take(pack: Buffer, ...commits: string[]): Promise<void> {
  const scratch = await mkdtemp(join(folder, "scratch-"));
  await takePack(host, { commits, pack: Readable.from([pack]), scratch });
}

const stored = async (): Promise<string[]> =>
  (await readdir(host.objects, { recursive: true })).sort();

test("sound commits arrive whole", async () => {
  const blob = await written("blob", "fine");
  const commit = await commitOf("100644", "file", blob);
  await take(await packReaching(commit), commit);
  expect(await git(host.folder, "show", `${commit}:file`)).toBe("fine");
  expect(await git(host.folder, "fsck", "--strict")).not.toContain("error");
});

test.each([
  ["a folder that is .git", ".git"],
  ["one that is .git where case does not count", ".GIT"],
  ["one that is .git on Windows", "git~1"],
  ["one that is .git on a Mac", ".g\u200cit"],
  ["the folder above", ".."],
  ["a path in one name", "a/b"],
])("%s is refused, and nothing is left in the repository", async (_, name) => {
  const blob = await written("blob", "[core]\n\tfsmonitor = evil\n");
  const inner = Buffer.concat([
    Buffer.from("100644 config\0"),
    Buffer.from(blob, "hex"),
  ]);
  const commit = await commitOf("40000", name, await written("tree", inner));
  const before = await stored();
  const pack = await packReaching(commit);
  await expect(take(pack, commit)).rejects.toMatchObject({
    failure: { code: "workspaces.failed" },
  });
  expect(await stored()).toEqual(before);
});

test("a submodule whose address is a command's option is refused", async () => {
  const blob = await written(
    "blob",
    '[submodule "x"]\n\tpath = x\n\turl = --upload-pack=evil\n',
  );
  const commit = await commitOf("100644", ".gitmodules", blob);
  const pack = await packReaching(commit);
  await expect(take(pack, commit)).rejects.toMatchObject({
    failure: { code: "workspaces.failed" },
  });
});

test("a pack that is cut, changed or not all there is refused, and nothing is left", async () => {
  const blob = await written("blob", "fine");
  const commit = await commitOf("100644", "file", blob);
  const pack = await packReaching(commit);
  const before = await stored();
  const flipped = Buffer.from(pack);
  flipped[20] = flipped[20]! ^ 0xff;
  const tree = await git(guest, "rev-parse", `${commit}^{tree}`);
  for (const bad of [
    pack.subarray(0, pack.length - 5),
    flipped,
    Buffer.from("not a pack"),
    await packOf(commit, tree),
    await packOf(commit),
  ])
    await expect(take(bad, commit)).rejects.toMatchObject({
      failure: { code: "workspaces.failed" },
    });
  // Sound, but it is not what was promised.
  await expect(take(pack, tree)).rejects.toMatchObject({
    failure: { code: "workspaces.failed" },
  });
  expect(await stored()).toEqual(before);
});

test("a folder without a repository has none", async () => {
  const plain = join(folder, "plain");
  await mkdir(plain);
  expect(await findRepository(plain)).toBeUndefined();
});
