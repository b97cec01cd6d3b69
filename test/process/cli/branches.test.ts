import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Leftover } from "../../../src/protocol/workspaces.ts";
import { type Household, household } from "../../vm/household.ts";
import { git, repositoryAt } from "../workspaces/workspaceOverSsh.ts";

let house: Household;
let root: string;
let folder: string;

beforeAll(async () => {
  house = await household();
  root = await mkdtemp(join(tmpdir(), "gh-cli-branches-"));
  folder = join(root, "web");
  await repositoryAt(folder);
  await git(folder, "branch", "feature");
});
afterAll(async () => {
  await house[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

const inHome = (name: string): Promise<string[]> =>
  readdir(join(house.home, name)).catch(() => []);

test("a helper that is killed while a branch is laid out, or a repository cloned, leaves nothing to the next (B15)", async () => {
  const up = ["up", "--image", "nobody-has-this"];
  for (const [fault, ...args] of [
    ["branch.laidOut", ...up, "--branch", "feature", folder],
    ["clone.fetched", ...up, pathToFileURL(folder).href],
  ] as const) {
    const ended = await house.guesthouseWithFault(fault, args);
    expect(ended.exitCode).not.toBe(0);
    expect(await inHome("work")).toHaveLength(1);
    await house.json(["list"]);
    expect(await inHome("work")).toEqual([]);
    expect(await inHome("clones")).toEqual([]);
  }
  // The same without a fault is refused for another reason, and leaves nothing either.
  const { exitCode, stderr } = await house.guesthouse([
    ...up,
    "--branch",
    "feature",
    folder,
  ]);
  expect(exitCode).toBe(3);
  expect(stderr).toContain("nobody-has-this");
  expect(await inHome("work")).toEqual([]);
  const [left] = await house.json<Leftover[]>(["workspace", "list"]);
  expect(left).toMatchObject({ branch: "feature", why: ["machineGone"] });
  await house.json(["workspace", "delete", left?.id ?? ""]);
  expect(await house.json(["workspace", "list"])).toEqual([]);
});

test("what is no URL to clone from is refused before git hears of it", async () => {
  const witness = join(root, "ran on the host");
  for (const url of [
    `ext::touch ${witness}`,
    "https://me:secret@example.com/web",
    "http://example.com/web",
    `ssh://-oProxyCommand=touch ${witness}/x`,
  ]) {
    const { exitCode, stderr } = await house.guesthouse(["up", "--", url]);
    expect(exitCode).toBe(3);
    expect(stderr).toContain("can't be cloned");
  }
  expect(await readdir(root)).toEqual(["web"]);
});
