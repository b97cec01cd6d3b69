import { execa } from "execa";
import { existsSync } from "node:fs";
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  writeFile,
} from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Leftover } from "../../src/protocol/workspaces.ts";
import type { CameUp } from "../../src/protocol/workspaces.ts";
import {
  type Ended,
  eventually,
  type Household,
  household,
} from "./household.ts";
import { shapeInFile, warmUp } from "./warmGuests.ts";

/* One repository, two branches, two VMs at once: one from the folder, one from a clone by URL. */

let house: Household;
let root: string;
let folder: string;
let url: string;
let witness: string;
let ones: CameUp;
let twos: CameUp;

const git = async (at: string, ...args: string[]): Promise<string> => {
  const who = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
  const { stdout } = await execa("git", ["-C", at, ...who, ...args], {
    env: { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null" },
  });
  return stdout;
};
const up = async (...args: string[]): Promise<CameUp> => {
  const { exitCode, stdout, stderr } = await house.guesthouse([
    ...["up", "--json"],
    ...args,
  ]);
  expect(stderr).not.toMatch(/^guesthouse:/m);
  expect(exitCode).toBe(0);
  return JSON.parse(stdout) as CameUp;
};
const inOne = (...command: string[]): Promise<Ended> =>
  house.guesthouse(["exec", "-C", folder, "--branch", "one", "--", ...command]);
const inTwo = (...command: string[]): Promise<Ended> =>
  house.guesthouse(["exec", "-C", url, "--branch", "two", "--", ...command]);

/** What the server in a guest says to whoever connects. */
const heard = ({ forwards }: CameUp): Promise<string> =>
  eventually("The server in the guest", 60_000, async () => {
    const [forward] = forwards;
    const socket = connect(forward?.hostPort ?? 0, "127.0.0.1");
    return (await text(socket).catch(() => "")) || undefined;
  });

const serve = `import socket
server = socket.create_server(("0.0.0.0", 3000))
while True:
    client, _ = server.accept()
    client.sendall(open("word", "rb").read())
    client.close()
`;

beforeAll(async () => {
  house = await household({ GUESTHOUSE_GRACE_SECONDS: "4" });
  await warmUp(house);
  root = await realpath(await mkdtemp(join(tmpdir(), "branches-")));
  folder = join(root, "web");
  url = pathToFileURL(folder).href;
  witness = join(root, "ran on the host");
  await mkdir(folder);
  await git(folder, "init", "-q", "-b", "main");
  await writeFile(
    join(folder, ".devcontainer.json"),
    JSON.stringify({
      image: "debian-12",
      customizations: { guesthouse: shapeInFile },
      forwardPorts: [3000],
      postStartCommand: "setsid -f python3 serve.py >/dev/null 2>&1",
    }),
  );
  await writeFile(join(folder, "serve.py"), serve);
  await writeFile(join(folder, ".gitattributes"), "* filter=evil\n");
  await git(folder, "add", "-A");
  await git(folder, "commit", "-qm", "begin");
  for (const branch of ["one", "two"]) {
    await git(folder, "checkout", "-qb", branch, "main");
    await writeFile(join(folder, "word"), `${branch}\n`);
    await git(folder, "add", "-A");
    await git(folder, "commit", "-qm", branch);
  }
  await git(folder, "checkout", "-q", "main");
  await writeFile(join(folder, "word"), "not committed\n");
  const evil = join(folder, ".git", "hooks", "post-checkout");
  await mkdir(join(folder, ".git", "hooks"), { recursive: true });
  await writeFile(evil, `#!/bin/sh\ntouch '${witness}'\n`);
  await chmod(evil, 0o755);
  await git(folder, "config", "filter.evil.smudge", evil);
  await git(folder, "config", "core.fsmonitor", evil);
});

afterAll(async () => {
  await house[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

test("two branches are up at once, each as it was committed, both serving port 3000", async () => {
  ones = await up("--branch", "one", folder);
  twos = await up("--branch", "two", url);
  expect(ones).toMatchObject({
    alias: "gh-web-one",
    remoteFolder: "/workspaces/web",
    workspace: { folder, branch: "one", title: "web (one)" },
  });
  expect(twos).toMatchObject({
    alias: "gh-web-two",
    remoteFolder: "/workspaces/web",
    workspace: { branch: "two", url },
  });
  const ports = [ones, twos].map(({ forwards }) => forwards[0]?.hostPort);
  expect(new Set(ports).size).toBe(2);
  expect(await heard(ones)).toBe("one\n");
  expect(await heard(twos)).toBe("two\n");
  expect(existsSync(witness)).toBe(false);
  expect(await readdir(join(house.home, "work"))).toEqual([]);
});

test("a guest's repository is on its branch, whole and clean, with the origin that the host has", async () => {
  const look =
    "git branch --show-current; git status --porcelain; git remote get-url origin; cat word; git fsck --strict";
  const one = await inOne("sh", "-c", look);
  expect(one.stdout.split("\n")).toEqual(["one", "one"]);
  const two = await inTwo("sh", "-c", look);
  expect(two.stdout.split("\n")).toEqual(["two", url, "two"]);
  expect((await inOne("cat", ".git/config")).stdout).not.toContain("evil");
});

test("a second up finds the VM again and copies nothing", async () => {
  const again = await up("--branch", "one", folder);
  expect(again.workspace.machine).toEqual(ones.workspace.machine);
  expect(again.stages.map(({ stage }) => stage)).not.toContain("files");
});

test("work comes back as commits, whatever is checked out in the folder", async () => {
  for (const [inside, name, at] of [
    [inOne, "web-one", folder],
    [inTwo, "web-two", twos.workspace.folder],
  ] as const) {
    await inside("sh", "-c", "echo made here > made; git add made");
    const down = await house.guesthouse(["delete", name]);
    expect(down.stderr).toContain("holds work that is nowhere else");
    const back = await house.guesthouse(["bring-back", name]);
    expect(back.stdout).toContain(`guesthouse/${name} is at`);
    expect(await git(at, "show", `guesthouse/${name}:made`)).toBe("made here");
  }
  expect(await readFile(join(folder, "word"), "utf8")).toBe("not committed\n");
  expect(await git(folder, "branch", "--show-current")).toBe("main");
  const over = await house.guesthouse(["bring-back", "web-one", "--force"]);
  expect(over.exitCode).toBe(3);
});

test("an ephemeral VM goes when its last connection has ended", async () => {
  const tame = ["-c", "filter.evil.smudge=cat", "-c", "core.fsmonitor=false"];
  const side = join(root, "side");
  await git(folder, ...tame, "worktree", "add", "-q", side, "one");
  const file = join(side, ".devcontainer.json");
  const before = JSON.parse(await readFile(file, "utf8")) as {
    customizations: { guesthouse: object };
  };
  const { guesthouse } = before.customizations;
  const customizations = { guesthouse: { ...guesthouse, ephemeral: true } };
  await writeFile(file, JSON.stringify({ ...before, customizations }));
  await git(side, ...tame, "commit", "-qam", "ephemeral");
  const again = await up("--branch", "one", folder);
  expect(again.workspace.machine).toEqual(ones.workspace.machine);
  const connected = inOne("sleep", "8");
  await new Promise((wake) => setTimeout(wake, 6_000));
  expect((await house.machine("web-one")).state.kind).toBe("running");
  expect((await connected).exitCode).toBe(0);
  await eventually("The end of the ephemeral VM", 90_000, async () => {
    const names = await house.json<{ name: string }[]>(["list"]);
    return names.every(({ name }) => name !== "web-one") ? true : undefined;
  });
});

test("a workspace goes with its VM and its clone, and not with commits that nobody has", async () => {
  // A clone of a warm template has next to nothing on its disk that is its own.
  await inTwo("sh", "-c", "head -c 16M /dev/urandom > ~/ballast && sync");
  const list = await house.json<Leftover[]>(["workspace", "list"]);
  expect(list.map(({ branch, why }) => [branch, why])).toEqual([
    ["one", ["machineGone"]],
    ["two", []],
  ]);
  expect(list.at(-1)?.bytes).toBeGreaterThan(10 * 1024 ** 2);
  const gone = await house.guesthouse([
    ...["down", "--delete", "--branch", "two", url],
  ]);
  expect(gone.stdout).toContain("gh-web-two is deleted");
  const [one = "", two = ""] = list.map(({ id }) => id);
  const kept = await house.guesthouse(["workspace", "delete", two]);
  expect(kept.stderr).toContain("on guesthouse/web-two");
  const { exitCode } = await house.guesthouse([
    ...["workspace", "delete", "--discard", one, two],
  ]);
  expect(exitCode).toBe(0);
  expect(await house.json(["list"])).toEqual([]);
  expect(await house.json(["workspace", "list"])).toEqual([]);
  expect(await readdir(join(house.home, "clones"))).toEqual([]);
});
