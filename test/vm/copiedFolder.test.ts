import { execa } from "execa";
import {
  mkdir,
  mkdtemp,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { version } from "../../src/base/version.ts";
import type { Machine } from "../../src/protocol/machines.ts";
import type { RpcClient } from "../../src/rpc/call.ts";
import { ensureHelper } from "../../src/rpc/launch.ts";
import { bundle, type Household, household } from "./household.ts";
import { runInGuest } from "./inGuest.ts";
import { shape, warmUp } from "./warmGuests.ts";

let house: Household;
let machine: Machine;
let client: RpcClient;
let folder: string;
let here: string;

const git = async (...args: string[]): Promise<string> => {
  const who = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
  return (await execa("git", ["-C", here, ...who, ...args])).stdout;
};
const inGuest = (command: string) => runInGuest(house, machine, command);

beforeAll(async () => {
  house = await household();
  folder = await mkdtemp(join(tmpdir(), "gh-workspace-"));
  here = join(folder, "project");
  await mkdir(join(here, "many"), { recursive: true });
  await writeFile(join(here, ".gitignore"), "ignored/\n");
  for (let i = 0; i < 600; i++)
    await writeFile(join(here, "many", `f${String(i)}`), `file ${String(i)}\n`);
  await writeFile(join(here, "changed"), "before\n");
  await writeFile(join(here, "run.sh"), "#!/bin/sh\n", { mode: 0o755 });
  await writeFile(join(here, "mode.sh"), "#!/bin/sh\n", { mode: 0o644 });
  await symlink("run.sh", join(here, "link"));
  await writeFile(join(here, "large"), Buffer.alloc(8 * 1024 * 1024, "large"));
  await git("init", "-q");
  await git("add", "-A");
  await git("commit", "-qm", "one");
  await writeFile(join(here, "untracked"), "here\n");
  await warmUp(house);
  machine = await house.json<Machine>(["create", "work", ...shape]);
  // After the command line has started it, as every house does.
  ({ client } = await ensureHelper({
    home: house.home,
    command: [process.execPath, bundle],
    version,
    client: "window",
  }));
});

afterAll(async () => {
  client.close();
  await house[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

test("a folder goes in by a disk of its own: owner, modes, links and git's view are right, and the disk is gone", async () => {
  const copied = await client.call("copying.folder", {
    machine: "work",
    folder: here,
  });
  expect(copied.way).toBe("disk");
  expect(await inGuest("git -C project status --porcelain")).toBe(
    "?? untracked",
  );
  expect(
    await inGuest(
      "cd project; stat -c '%U %a' run.sh mode.sh many/f7; readlink link; find . ! -user $(id -un) | wc -l; sha256sum < large",
    ),
  ).toBe(
    [
      ...[`${machine.user} 755`, `${machine.user} 644`],
      ...[`${machine.user} 644`, "run.sh", "0"],
      (await execa("sha256sum", { inputFile: join(here, "large") })).stdout,
    ].join("\n"),
  );
  expect(await inGuest("cat /sys/block/vd*/serial")).not.toContain("lent");
  const again = await client.call("copying.folder", {
    machine: "work",
    folder: here,
  });
  expect(again).toMatchObject({ way: "none", files: 0 });
});

test("work in the guest keeps its machine from being deleted, also once it is stopped and in a fork", async () => {
  await inGuest(`cd project &&
    mkdir new && printf 'new' > 'new/ü' && printf 'after' > changed && rm many/f0 && git mv -k many/f1 renamed &&
    head -c 70000 /dev/urandom > binary && chmod 755 mode.sh && ln -s ../outside newlink && mkdir ignored && touch ignored/x &&
    git -c user.name=g -c user.email=g@g commit -qm 'in the guest' -- many/f1 renamed`);
  const refused = await house.guesthouse(["delete", "work"]);
  expect(refused.exitCode).toBe(3);
  expect(refused.stderr).toContain("binary");
  expect(refused.stderr).toContain("in the guest");
  expect(refused.stderr).toContain("--discard");

  await house.json(["fork", "work", "twin"]);
  expect((await house.guesthouse(["delete", "twin"])).exitCode).toBe(3);
  await house.json(["stop", "twin"]);
  const twin = await house.machine("twin");
  expect(twin.folder?.work?.commitCount).toBe(1);
  expect((await house.guesthouse(["delete", "twin"])).exitCode).toBe(3);
  await house.json(["delete", "--discard", "twin"]);
});

test("it comes back byte for byte as commits, with the guest's index and refs as they were", async () => {
  const looks = "cd project && sha256sum .git/index && git for-each-ref";
  const before = await inGuest(looks);
  await house.json(["bring-back", "work", "--branch", "back"]);
  expect(await inGuest(looks)).toBe(before);
  expect(await git("status", "--porcelain")).toBe("?? untracked");
  const out = join(folder, "out");
  await git("worktree", "add", "-q", out, "back");
  const there = join(folder, "there");
  await house.json(["cp", "work:project", there]);
  const same = await execa(
    "diff",
    ["-r", "--no-dereference", "-x", ".git", "-x", "ignored", there, out],
    { reject: false },
  );
  expect(same.stdout).toBe("");
  expect((await stat(join(out, "mode.sh"))).mode & 0o777).toBe(0o755);
  expect(await readlink(join(out, "newlink"))).toBe("../outside");
  expect(await readFile(join(out, "new", "ü"), "utf8")).toBe("new");
  expect(await git("log", "--format=%s", "back")).toContain("in the guest");
});

test("brought back, it is deleted without a question", async () => {
  await house.json(["stop", "work"]);
  await house.json(["delete", "work"]);
});
