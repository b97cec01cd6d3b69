import { existsSync } from "node:fs";
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { type Layout, layoutOf } from "../../../src/helper/store/layout.ts";
import { writeWorkspace } from "../../../src/helper/store/workspaceRecords.ts";
import { KnownWorkspaces } from "../../../src/helper/workspaces/known/knownWorkspaces.ts";
import {
  createWorkspaceRoom,
  type WorkspaceRoom,
} from "../../../src/helper/workspaces/handlers.ts";
import { workspaceId } from "../../../src/helper/workspaces/known/knownWorkspaces.ts";
import type { Leftover } from "../../../src/protocol/workspaces.ts";
import type { Workspace } from "../../../src/protocol/workspaces.ts";
import { refused } from "../../../src/protocol/failure.ts";
import type { Machine } from "../../../src/protocol/machines.ts";
import * as samples from "../../unit/extension/samples.ts";
import { eventually } from "../../vm/household.ts";
import { git, repositoryAt } from "./workspaceOverSsh.ts";

let root: string;
let layout: Layout;
let upstream: string;
let url: string;
let known: KnownWorkspaces;
let room: WorkspaceRoom;
let machines: Machine[];
/** Of a machine that refuses to be deleted. */
let unsaved: string | undefined;
let changed: Workspace[];
let removed: string[];
let said: string[];
let stopped: string[];

const context = () => ({
  requestId: "test",
  signal: new AbortController().signal,
});

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "gh-clones-")));
  layout = layoutOf(join(root, "home"), { XDG_RUNTIME_DIR: root });
  upstream = join(root, "wéb");
  url = pathToFileURL(upstream).href;
  machines = [];
  unsaved = undefined;
  [changed, removed, said, stopped] = [[], [], [], []];
  await repositoryAt(upstream);
  room = await openRoom();
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function openRoom(): Promise<WorkspaceRoom> {
  known = new KnownWorkspaces(
    layout,
    { list: () => machines },
    (workspace) => changed.push(workspace),
    (id) => removed.push(id),
  );
  await known.load();
  return createWorkspaceRoom({
    layout,
    workspaces: known,
    log: silentLog,
    resources: join(import.meta.dirname, "../../../resources"),
    reach: {
      target: () => Promise.reject(new Error("no guest here")),
      landing: () => Promise.reject(new Error("no guest here")),
    },
    http: {
      get: () => Promise.reject(new Error("no network here")),
      close: () => Promise.resolve(),
    },
    machines: {
      list: () => machines,
      create: () => Promise.reject(new Error("no machine here")),
      start: () => Promise.reject(new Error("no machine here")),
      stop: (id) => {
        stopped.push(id);
        return Promise.resolve();
      },
      remove: (id, { discard }) => {
        if (id === unsaved && !discard)
          return Promise.reject(refused("machines.unsavedWork", "unsaved"));
        machines = machines.filter((each) => each.id !== id);
        return Promise.resolve();
      },
      noteLanding: () => Promise.resolve(),
      notePorts: () => Promise.reject(new Error("no machine here")),
      noteFolder: () => Promise.resolve(),
    },
    images: () => Promise.resolve([{ name: "debian-12" }]),
    defaultImage: "debian-12",
    usualSize: () => ({ cpus: 2, memoryMiB: 2048, diskGiB: 20 }),
    onFetching: (_, text) => said.push(text),
    onLogged: () => undefined,
    onCopied: () => () => undefined,
  });
}

const clone = (
  how?: "find" | "clone" | "fetch",
  branch?: string,
): Promise<{ folder: string; branch: string }> =>
  room.handlers["branches.clone"](
    {
      url,
      ...(how === undefined ? {} : { how }),
      ...(branch === undefined ? {} : { branch }),
    },
    context(),
  );
const leftovers = async (unusedDays = 30): Promise<Leftover[]> =>
  (await room.handlers["workspaces.leftovers"]({ unusedDays }, context()))
    .leftovers;
const remove = (id: string, discard = false) =>
  room.handlers["workspaces.delete"]({ id, discard }, context());
const failureOf = (work: Promise<unknown>) =>
  expect(work).rejects.toHaveProperty("failure.code");

/** As an earlier `up` left it. */
async function recorded(
  place: { folder: string; branch?: string },
  machine?: string,
): Promise<string> {
  const id = workspaceId({ ...place, path: undefined });
  await writeWorkspace(layout, {
    format: 1,
    id,
    ...place,
    title: "web",
    name: "web",
    alias: "gh-web",
    ...(machine === undefined
      ? {}
      : {
          made: {
            machine,
            user: "me",
            target: "/workspaces/web",
            workspaceFolder: "/workspaces/web",
            shapeDigest: "x",
          },
        }),
  });
  return id;
}

test("a repository is cloned by its URL, found again, fetched when that is wanted or a branch is new", async () => {
  await failureOf(clone("find"));
  const cloned = await clone();
  expect(cloned.branch).toBe("main");
  expect(cloned.folder.startsWith(join(layout.clones))).toBe(true);
  expect(said.join("\n")).toMatch(/objects/);
  expect(await git(cloned.folder, "config", "remote.origin.url")).toBe(url);
  // Nothing of it lies about on the host but git's own files.
  expect(await readdir(cloned.folder)).toEqual([".git"]);
  expect(await readdir(layout.work)).toEqual([]);

  await git(upstream, "commit", "-q", "--allow-empty", "-m", "two");
  const tip = (): Promise<string> =>
    git(cloned.folder, "rev-parse", "refs/remotes/origin/main");
  const before = await tip();
  expect(await clone("find")).toEqual(cloned);
  expect(await clone()).toEqual(cloned);
  expect(await tip()).toBe(before);
  await git(upstream, "branch", "new");
  expect(await clone("clone", "new")).toEqual({ ...cloned, branch: "new" });
  expect(await tip()).not.toBe(before);
  await failureOf(clone("clone", "nobody"));
  await git(upstream, "commit", "-q", "--allow-empty", "-m", "three");
  await clone("fetch");
  expect(await tip()).toBe(await git(upstream, "rev-parse", "main"));
});

test("what the remote has is read as a branch, and its branches are listed", async () => {
  await writeFile(join(upstream, ".devcontainer.json"), '{ "name": "Web" }');
  await git(upstream, "add", "-A");
  await git(upstream, "commit", "-qm", "file");
  const cloned = await clone();
  const read = await room.handlers["workspaces.read"](cloned, context());
  expect(read.config).toBe(".devcontainer.json");
  expect(await room.handlers["branches.list"](cloned, context())).toMatchObject(
    { branches: ["main"] },
  );
  expect(
    await room.handlers["branches.create"](
      { folder: cloned.folder, branch: "mine" },
      context(),
    ),
  ).toEqual({ created: true });
  expect(await readdir(layout.work)).toEqual([]);
});

test("cloning runs nothing of the repository's, and takes no submodules along", async () => {
  const witness = join(root, "ran on the host");
  const evil = join(root, "evil");
  await writeFile(evil, `#!/bin/sh\ntouch '${witness}'\nexit 1\n`);
  await chmod(evil, 0o755);
  await writeFile(join(upstream, ".gitattributes"), "* filter=evil\n");
  await writeFile(
    join(upstream, ".gitmodules"),
    `[submodule "x"]\n\tpath = x\n\turl = ext::${evil}\n\tupdate = !${evil}\n`,
  );
  await git(upstream, "add", "-A");
  await git(upstream, "commit", "-qm", "evil");
  for (const [key, value] of [
    ["uploadpack.packObjectsHook", evil],
    ["core.fsmonitor", evil],
    ["core.alternateRefsCommand", evil],
    ["extensions.partialClone", "origin"],
    ["remote.origin.promisor", "true"],
    ["remote.origin.url", `ext::${evil}`],
    ["remote.origin.uploadpack", evil],
    ["protocol.ext.allow", "always"],
    ["core.repositoryFormatVersion", "1"],
  ] as const)
    await git(upstream, "config", key, value);
  await mkdir(join(upstream, ".git", "hooks"), { recursive: true });
  for (const hook of ["post-checkout", "reference-transaction"])
    await symlink(evil, join(upstream, ".git", "hooks", hook));
  const cloned = await clone();
  await clone("fetch");
  await room.handlers["workspaces.read"](cloned, context());
  expect(existsSync(witness)).toBe(false);
  expect(existsSync(join(cloned.folder, ".git", "hooks"))).toBe(false);
  // So the trap is set: git itself goes into it.
  await git(upstream, "status").catch(() => undefined);
  expect(existsSync(witness)).toBe(true);
});

test("what can't be reached says so, asks for nothing and leaves nothing behind", async () => {
  url = pathToFileURL(join(root, "nowhere")).href;
  await expect(clone()).rejects.toHaveProperty(
    "failure.code",
    "workspaces.failed",
  );
  expect(await readdir(layout.work)).toEqual([]);
  // Nor does a clone that nobody made a workspace of outlive the helper, unless work was brought back to it.
  url = pathToFileURL(upstream).href;
  const { folder } = await clone();
  const tree = await git(folder, "rev-parse", "origin/main^{tree}");
  const work = await git(folder, "commit-tree", tree, "-m", "work");
  await git(folder, "update-ref", "refs/heads/x", work);
  await openRoom();
  expect(existsSync(folder)).toBe(true);
  await git(folder, "update-ref", "-d", "refs/heads/x");
  await openRoom();
  expect(await readdir(layout.clones)).toEqual([]);
});

test("cloning can be ended, and asks nobody: ssh is told so, and has the user's own program", async () => {
  const args = join(root, "args");
  const ssh = join(root, "my ssh");
  await writeFile(ssh, `#!/bin/sh\necho "$@" > '${args}'\nexec cat\n`);
  await chmod(ssh, 0o755);
  process.env["GIT_SSH_COMMAND"] = `'${ssh}'`;
  try {
    const controller = new AbortController();
    url = "ssh://git@example.invalid/me/web.git";
    const cloning = room.handlers["branches.clone"](
      { url },
      { requestId: "test", signal: controller.signal },
    );
    cloning.catch(() => undefined);
    const said = await eventually(
      "ssh",
      10_000,
      async () => (await readFile(args, "utf8").catch(() => "")) || undefined,
    );
    expect(said).toMatch(/^-o BatchMode=yes .*git@example\.invalid/);
    controller.abort();
    await expect(cloning).rejects.toThrow(/abort/i);
    expect(await readdir(layout.work)).toEqual([]);
  } finally {
    delete process.env["GIT_SSH_COMMAND"];
  }
});

test("leftovers: folders and machines that are gone, machines long unused; what is used comes last", async () => {
  const machine = (id: string, createdAt: string): Machine =>
    samples.machine({
      id,
      name: id,
      alias: `gh-${id}`,
      createdAt,
      state: { kind: "stopped", reason: "requested" },
    });
  const now = new Date().toISOString();
  machines = [
    machine("aaaaaaaaaaaa", "2020-01-01T00:00:00Z"),
    machine("bbbbbbbbbbbb", now),
    machine("cccccccccccc", "2020-01-01T00:00:00Z"),
  ];
  const gone = await recorded({ folder: join(root, "gone") }, "aaaaaaaaaaaa");
  const used = await recorded({ folder: upstream }, "bbbbbbbbbbbb");
  const bare = await recorded({ folder: root }, "dddddddddddd");
  room = await openRoom();
  const found = await leftovers();
  expect(Object.fromEntries(found.map(({ id, why }) => [id, why]))).toEqual({
    [gone]: ["folderGone", "unused"],
    [bare]: ["machineGone"],
    cccccccccccc: ["unused"],
    [used]: [],
  });
  expect(found.at(-1)?.id).toBe(used);
  expect(
    (await leftovers(0)).filter(({ why }) => why.includes("unused")),
  ).toHaveLength(3);
});

test("deleting a workspace takes its machine and its clone; work in either is kept", async () => {
  const cloned = await clone();
  machines = [samples.machine({ id: "aaaaaaaaaaaa" })];
  unsaved = "aaaaaaaaaaaa";
  const main = await recorded(cloned, "aaaaaaaaaaaa");
  const other = await recorded({ ...cloned, branch: "other" });
  room = await openRoom();
  await expect(remove(main)).rejects.toHaveProperty(
    "failure.code",
    "machines.unsavedWork",
  );
  expect(machines).toHaveLength(1);
  unsaved = undefined;
  await remove(main);
  expect(machines).toEqual([]);
  expect(removed).toEqual([main]);
  expect((await leftovers()).map(({ id }) => id)).toEqual([other]);
  // The other branch still needs it, and holds what was brought back.
  await git(cloned.folder, "update-ref", "refs/heads/x", "origin/main");
  const tree = await git(cloned.folder, "rev-parse", "x^{tree}");
  const commit = await git(cloned.folder, "commit-tree", tree, "-m", "work");
  await git(cloned.folder, "update-ref", "refs/heads/x", commit);
  await expect(remove(other)).rejects.toMatchObject({
    failure: {
      code: "machines.unsavedWork",
      message: expect.stringMatching(/, on x\./) as string,
    },
  });
  await remove(other, true);
  expect(await readdir(layout.clones)).toEqual([]);
  expect(
    (await room.handlers["workspaces.list"]({}, context())).workspaces,
  ).toEqual([]);
});

test("an ephemeral machine with work of its own is stopped, kept and told of; without, it is deleted", async () => {
  machines = [samples.machine({ id: "aaaaaaaaaaaa" })];
  const id = await recorded({ folder: upstream }, "aaaaaaaaaaaa");
  room = await openRoom();
  unsaved = "aaaaaaaaaaaa";
  await room.endUse("aaaaaaaaaaaa", "delete");
  expect(stopped).toEqual(["aaaaaaaaaaaa"]);
  expect(machines).toHaveLength(1);
  const { text } = await room.handlers["workspaces.log"]({ id }, context());
  expect(text).toMatch(/is kept, and stopped, although it is ephemeral/);
  unsaved = undefined;
  await room.endUse("aaaaaaaaaaaa", "delete");
  expect(machines).toEqual([]);
  expect(changed.at(-1)?.state).toEqual({ kind: "absent" });
});

test("a machine that is deleted by another way is told of", async () => {
  machines = [samples.machine({ id: "aaaaaaaaaaaa" })];
  await recorded({ folder: upstream }, "aaaaaaaaaaaa");
  room = await openRoom();
  machines = [];
  await known.machineGone("aaaaaaaaaaaa");
  expect(changed.map(({ state, machine }) => [state.kind, machine])).toEqual([
    ["absent", undefined],
  ]);
});
