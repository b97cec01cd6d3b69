import {
  mkdir,
  mkdtemp,
  rm,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { inspectArchive } from "../../../../../src/helper/workspaces/features/archive.ts";
import { packLocalFeature } from "../../../../../src/helper/workspaces/features/localFolder.ts";
import { featureArchive } from "../../../../fakes/featureArchive.ts";

const metadata = { name: "devcontainer-feature.json", content: '{"id":"x"}' };
const install = { name: "install.sh", content: "#!/bin/sh\n" };

describe("a feature's archive is looked through, not unpacked", () => {
  test("packed and plain, with names as different tools write them", async () => {
    const plain = await featureArchive([
      { name: "./", type: "directory" },
      { name: "./devcontainer-feature.json", content: '{"id":"x"}' },
      { name: "./install.sh" },
      { name: "./bin/tool", type: "symlink", linkname: "../install.sh" },
      { name: "./again", type: "link", linkname: "./install.sh" },
    ]);
    for (const archive of [plain, gzipSync(plain)])
      expect(await inspectArchive(archive, "x")).toMatchObject({ id: "x" });
  });

  test.each([
    ["a name above", { name: "../evil" }],
    ["a name through others above", { name: "a/../../evil" }],
    ["a whole path", { name: "/etc/cron.d/evil" }],
    [
      "a link above",
      { name: "l", type: "symlink" as const, linkname: "../.." },
    ],
    [
      "a link to a whole path",
      { name: "l", type: "symlink" as const, linkname: "/etc" },
    ],
    [
      "a second name of a file outside",
      { name: "l", type: "link" as const, linkname: "../../etc/passwd" },
    ],
    ["a device", { name: "d", type: "block-device" as const }],
    ["a pipe", { name: "d", type: "fifo" as const }],
  ])("refuses %s", async (_, entry) => {
    const archive = await featureArchive([metadata, install, entry]);
    await expect(inspectArchive(archive, "x")).rejects.toThrow(
      /^The feature “x” can't be used: its archive holds “/,
    );
  });

  test("refuses what lies behind a link, what lacks a part, what is damaged or far too large", async () => {
    const behind = await featureArchive([
      ...[metadata, install],
      { name: "bin", type: "symlink", linkname: "." },
      { name: "bin/tool" },
    ]);
    await expect(inspectArchive(behind, "x")).rejects.toThrow(/behind a/);
    const lacking = await featureArchive([metadata]);
    await expect(inspectArchive(lacking, "x")).rejects.toThrow(/install\.sh/);
    const wrong = await featureArchive([
      { ...metadata, content: '{"id":1}' },
      install,
    ]);
    await expect(inspectArchive(wrong, "x")).rejects.toThrow(
      /can't be read: id/,
    );
    const whole = gzipSync(await featureArchive([metadata, install]));
    for (const damaged of [
      whole.subarray(0, 60),
      Buffer.from("<html>not found</html>".repeat(50)),
    ])
      await expect(inspectArchive(damaged, "x")).rejects.toThrow(/x/);
    const bomb = gzipSync(
      await featureArchive([
        ...[metadata, install],
        { name: "zeros", content: "\0".repeat(3 * 1024 * 1024) },
      ]),
    );
    await expect(inspectArchive(bomb, "x", 1024 * 1024)).rejects.toThrow(
      /far too large unpacked/,
    );
  });
});

describe("a folder's own feature", () => {
  let folder: string;
  const config = ".devcontainer/devcontainer.json";
  const pack = (
    path: string,
    at = config,
  ): ReturnType<typeof packLocalFeature> => packLocalFeature(folder, at, path);

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "local-feature-"));
    await mkdir(join(folder, ".devcontainer", "tools"), { recursive: true });
    for (const { name, content } of [metadata, install])
      await writeFile(join(folder, ".devcontainer", "tools", name), content);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test("has one digest for one content", async () => {
    const { archive, digest } = await pack("tools");
    expect(await inspectArchive(archive, "./tools")).toMatchObject({ id: "x" });
    const file = join(folder, ".devcontainer", "tools", "install.sh");
    await utimes(file, 1, 1);
    expect((await pack("tools")).digest).toBe(digest);
    expect(
      (await pack(".devcontainer/tools", ".devcontainer.json")).digest,
    ).toBe(digest);
    await writeFile(file, "#!/bin/sh\necho\n");
    expect((await pack("tools")).digest).not.toBe(digest);
  });

  test("never lies outside of .devcontainer, nor leads there by a link", async () => {
    await mkdir(join(folder, "beside", "inner"), { recursive: true });
    await symlink(
      join(folder, "beside"),
      join(folder, ".devcontainer", "link"),
    );
    for (const path of ["../beside", "../../x", "..", "link", "link/inner"])
      await expect(pack(path)).rejects.toThrow(/is not taken/);
    await expect(pack("none")).rejects.toThrow(/there is no folder/);
    const inner = join(folder, ".devcontainer", "tools", "passwd");
    await symlink("/etc/passwd", inner);
    const { archive } = await pack("tools");
    await expect(inspectArchive(archive, "./tools")).rejects.toThrow(
      /symbolic link that leads out of it/,
    );
  });
});
