import { readKeyFiles } from "../../../../src/helper/workspaces/prebuild/keyFiles.ts";
import { execa } from "execa";
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  rm,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { silentLog } from "../../../../src/base/log.ts";
import { layoutOf } from "../../../../src/helper/store/layout.ts";
import { contentDigest } from "../../../../src/helper/workspaces/up/content.ts";
import {
  noteMachine,
  removeAbandoned,
} from "../../../../src/helper/workspaces/prebuild/journal.ts";
import { toFailure } from "../../../../src/protocol/failure.ts";
import * as samples from "../../../unit/extension/samples.ts";

let folder: string;
const at = (name: string): string => join(folder, name);
const git = (...args: string[]): Promise<unknown> =>
  execa("git", [
    ...["-C", folder, "-c", "user.name=t", "-c", "user.email=t@example.com"],
    ...args,
  ]);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gh-content-"));
  await mkdir(at("src"));
  await writeFile(at("src/a"), "a");
  await writeFile(at("run"), "#!/bin/sh");
  await symlink("src/a", at("link"));
  await writeFile(at(".gitignore"), "built\n");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("a folder's content", () => {
  test("is the same with other times, in a repository and without, with whatever git keeps or ignores", async () => {
    const before = await contentDigest(folder);
    await utimes(at("src/a"), new Date(0), new Date(0));
    expect(await contentDigest(folder)).toBe(before);
    await git("init", "-q");
    expect(await contentDigest(folder)).toBe(before);
    await git("add", "-A");
    await git("commit", "-qm", "one");
    await writeFile(at("built"), "by the commands");
    expect(await contentDigest(folder)).toBe(before);
  });

  test.each<[string, () => Promise<unknown>]>([
    ["other bytes", () => writeFile(at("src/a"), "b")],
    ["a file more", () => writeFile(at("src/b"), "")],
    ["a file less", () => rm(at("src/a"))],
    ["a program that was none", () => chmod(at("run"), 0o755)],
    [
      "a link elsewhere",
      async () => {
        await rm(at("link"));
        await symlink("src/b", at("link"));
      },
    ],
  ])("is another with %s", async (_, change) => {
    const before = await contentDigest(folder);
    await change();
    expect(await contentDigest(folder)).not.toBe(before);
  });

  test("files of the key are read in the folder only", async () => {
    expect(await readKeyFiles(folder, ["src/a", "gone"])).toEqual([
      { path: "src/a", sha256: expect.stringMatching(/^ca978112/) as string },
      { path: "gone", sha256: null },
    ]);
    await symlink("/etc/passwd", at("out"));
    for (const path of ["out", "../../../etc/passwd"])
      expect(
        await readKeyFiles(folder, [path]).then(() => undefined, toFailure),
      ).toMatchObject({ code: "workspaces.outsideFolder" });
  });
});

test("machines of prebuilds that a killed helper left are deleted, no others, and their names forgotten", async () => {
  const layout = layoutOf(join(folder, "home"), { XDG_RUNTIME_DIR: folder });
  await noteMachine(layout, "prebuild-11111111");
  await noteMachine(layout, "prebuild-22222222");
  const machines = [
    samples.machine({ id: "a", name: "prebuild-11111111" }),
    // Somebody's own, by a name that looks alike.
    samples.machine({ id: "b", name: "prebuild-33333333" }),
  ];
  const removed: string[] = [];
  await removeAbandoned(
    layout,
    {
      list: () => machines,
      remove: (id) => {
        removed.push(id);
        return Promise.resolve();
      },
    },
    silentLog,
  );
  expect(removed).toEqual(["a"]);
  expect(await readdir(layout.prebuilding)).toEqual([]);
});
