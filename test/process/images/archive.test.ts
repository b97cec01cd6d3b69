import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { pack } from "tar-stream";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Failure, toFailure } from "../../../src/protocol/failure.ts";
import type { Image, PrebuildSource } from "../../../src/protocol/images.ts";
import { goldenFacts } from "../../unit/helper/images/goldenFacts.ts";
import { canMount } from "../machines/smallDisk.ts";
import { makeRootDisk } from "./disks.ts";
import { type ImageHouse, imageHouse } from "./house.ts";

let folder: string;
let exported: string;
let kept: Image;
let here: ImageHouse;
const path = (name: string): string => join(folder, name);
const never = new AbortController().signal;
const source: PrebuildSource = {
  kind: "prebuild",
  title: "web",
  key: "a".repeat(64),
  fileKey: "b".repeat(64),
  content: "c".repeat(64),
  base: { name: "base", digest: "" },
  madeAt: "2026-01-02T03:04:05.000Z",
  workspace: "0123456789abcdef",
};
const others: ImageHouse[] = [];
const elsewhere = async (): Promise<ImageHouse> => {
  const house = await imageHouse();
  others.push(house);
  return house;
};
const failure = (attempt: Promise<unknown>): Promise<Failure> =>
  attempt.then(() => {
    throw new Error("it went well");
  }, toFailure);
const namesIn = (place: string): Promise<string[]> =>
  readdir(place).catch(() => []);
const nothingLeft = async ({ layout }: ImageHouse): Promise<void> => {
  for (const place of [layout.work, layout.images])
    expect(
      (await namesIn(place)).filter((name) => name !== "names.json"),
    ).toEqual([]);
};

/** A difference of megabytes is nothing to print. */
const sameBytes = (a: Buffer, b: Buffer): boolean => a.equals(b);

/** A machine's disk above the base image's, with something of its own. */
async function overlay(name: string, byte: number): Promise<string> {
  const { files } = await here.images.resolve("base");
  const disk = path(name);
  await execa("qemu-img", [
    ...["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", files.disk, disk],
    "16M",
  ]);
  await execa("qemu-io", ["-c", `write -P ${String(byte)} 9M 1M`, disk]);
  return disk;
}

const keep = async (diskPath: string, change: Partial<PrebuildSource> = {}) =>
  here.images.keep(
    {
      name: "prebuild-web-aaaaaaaa",
      title: "web, prebuild of base",
      diskPath,
      base: (await here.images.resolve("base")).digest,
      defaultUser: "vscode",
      source: { ...source, ...change },
      facts: goldenFacts,
    },
    () => undefined,
    never,
  );

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gh-archive-"));
  here = await imageHouse();
  await makeRootDisk(path("base.raw"));
  await here.images.importFile({ path: path("base.raw"), name: "base" });
  kept = await keep(await overlay("machine.qcow2", 7));
  exported = path("web.guesthouse");
  await here.images.exportFile(kept.name, exported);
});
afterEach(async () => {
  for (const house of others.splice(0)) await house[Symbol.asyncDispose]();
});
afterAll(async () => {
  await here[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe("a machine's disk as an image", () => {
  test("stands alone, holds what the machine wrote, starts by the base image's kernel", async () => {
    expect(kept).toMatchObject({
      state: { kind: "ready" },
      source,
      defaultUser: "vscode",
      directBoot: true,
      usedBy: [],
    });
    const { files } = await here.images.resolve(kept.name);
    await execa("qemu-img", ["compare", path("machine.qcow2"), files.disk]);
    const info = async (disk: string): Promise<string> =>
      (await execa("qemu-img", ["info", "--output=json", disk])).stdout;
    expect(await info(path("machine.qcow2"))).toContain("backing");
    expect(await info(files.disk)).not.toContain("backing");
    const base = await here.images.resolve("base");
    expect(
      sameBytes(
        await readFile(files.kernel),
        await readFile(base.files.kernel),
      ),
    ).toBe(true);
    expect(await namesIn(here.layout.work)).toEqual([]);
  });

  test("made again it replaces the one before, which stays while machines stand on it", async () => {
    const first = await keep(await overlay("first.qcow2", 1));
    here.users.set(first.digest ?? "", ["attic"]);
    const second = await keep(await overlay("second.qcow2", 2));
    expect(second.name).toBe(first.name);
    expect(second.digest).not.toBe(first.digest);
    expect(existsSync(here.layout.image(first.digest ?? "").disk)).toBe(true);
    here.users.clear();
    await here.images.usersChanged(first.digest ?? "");
    expect(existsSync(here.layout.image(first.digest ?? "").disk)).toBe(false);
    await keep(path("machine.qcow2"));
  });

  test("a broken disk leaves no image and nothing half done", async () => {
    const before = await namesIn(here.layout.images);
    await writeFile(path("no.qcow2"), "no disk");
    expect(await failure(keep(path("no.qcow2")))).toMatchObject({
      code: "images.broken",
    });
    expect(await namesIn(here.layout.images)).toEqual(before);
    expect(await namesIn(here.layout.work)).toEqual([]);
  });
});

/** Runs `work` while a folder is a file system of its own, which is soon full. */
async function whileSmall(
  place: string,
  sizeMiB: number,
  work: () => Promise<void>,
): Promise<void> {
  await mkdir(place, { recursive: true });
  const options = `size=${String(sizeMiB)}m`;
  await execa("mount", ["-t", "tmpfs", "-o", options, "tmpfs", place]);
  try {
    await work();
    expect(await namesIn(place)).toEqual([]);
  } finally {
    await execa("umount", ["-l", place]);
  }
}

describe.skipIf(!canMount)("a full disk", () => {
  test.each([
    ["before anything is written", 1],
    ["in the midst of packing", 5],
  ])(
    "%s leaves no image, no scratch, and the machine's disk as it was",
    async (_, sizeMiB) => {
      const disk = await overlay(`full-${String(sizeMiB)}.qcow2`, 3);
      const noise = path("noise");
      await writeFile(noise, randomBytes(4 * 1024 * 1024));
      await execa("qemu-io", ["-c", `write -s ${noise} 10M 4M`, disk]);
      const before = await readFile(disk);
      const images = await namesIn(here.layout.images);
      await whileSmall(here.layout.work, sizeMiB, async () =>
        expect(await failure(keep(disk))).toMatchObject({
          code: "host.diskFull",
        }),
      );
      expect(await namesIn(here.layout.images)).toEqual(images);
      expect(sameBytes(await readFile(disk), before)).toBe(true);
    },
  );

  test("of an export's target leaves no file", async () => {
    const place = path("small");
    await whileSmall(place, 1, async () => {
      const file = join(place, "web.guesthouse");
      expect(
        await failure(here.images.exportFile(kept.name, file)),
      ).toMatchObject({ code: "host.diskFull" });
    });
  });
});

describe("an exported image", () => {
  test("comes in elsewhere as the same prebuild, byte for byte, without this computer's names", async () => {
    const house = await elsewhere();
    const image = await house.images.importFile({ path: exported });
    expect(image).toMatchObject({ name: kept.name, digest: kept.digest });
    expect(image.source).toEqual({ ...source, workspace: undefined });
    expect((await readFile(exported)).includes(source.workspace ?? "-")).toBe(
      false,
    );
    const { files } = await house.images.resolve(kept.name);
    const disk = createHash("sha256").update(await readFile(files.disk));
    expect(`sha256:${disk.digest("hex")}`).toBe(kept.digest);
    const base = await here.images.resolve("base");
    for (const file of ["kernel", "initrd"] as const)
      expect(
        sameBytes(
          await readFile(files[file]),
          await readFile(base.files[file]),
        ),
      ).toBe(true);
    expect((await stat(exported)).mode & 0o777).toBe(0o600);
    // The same again is no reason to complain: CI makes it anew each night.
    await house.images.importFile({ path: exported });
  });

  test("is not written over a file, and a wrong checksum is refused", async () => {
    expect(
      await failure(here.images.exportFile(kept.name, exported)),
    ).toMatchObject({ code: "request.invalid" });
    expect(existsSync(`${exported}.part`)).toBe(false);
    const house = await elsewhere();
    const checksum = `sha256:${"0".repeat(64)}`;
    expect(
      await failure(house.images.importFile({ path: exported, checksum })),
    ).toMatchObject({ code: "images.digestMismatch" });
    await nothingLeft(house);
  });

  test("cut short, or with one byte changed, is refused", async () => {
    const house = await elsewhere();
    const bytes = await readFile(exported);
    const broken = path("broken");
    for (const at of [700, 4096, bytes.length >> 1, bytes.length - 1500]) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(at) ^ 0xff, at);
      await writeFile(broken, changed);
      const { code } = await failure(house.images.importFile({ path: broken }));
      expect([at, code]).toEqual([at, expect.stringMatching(/^images\./)]);
      await writeFile(broken, bytes);
      await truncate(broken, at);
      expect(
        await failure(house.images.importFile({ path: broken })),
      ).toMatchObject({ code: "images.broken" });
    }
    await nothingLeft(house);
  });
});

describe("a malicious export", () => {
  interface Member {
    readonly name: string;
    readonly content?: Buffer;
    readonly type?: "file" | "symlink" | "link";
    readonly linkname?: string;
  }
  const sha256 = (content: Buffer): string =>
    createHash("sha256").update(content).digest("hex");

  async function forge(
    name: string,
    members: readonly Member[],
    change: Record<string, unknown> = {},
  ): Promise<string> {
    const archive = pack();
    const told = members.flatMap(({ name: of, content }) =>
      content === undefined
        ? []
        : [{ name: of, size: content.length, sha256: sha256(content) }],
    );
    const manifest = {
      format: "guesthouse-image",
      version: 1,
      name: "evil",
      title: "evil",
      architecture: "amd64",
      source,
      defaultUser: "guest",
      expectedBootSeconds: 20,
      facts: goldenFacts,
      members: told,
      ...change,
    };
    archive.entry({ name: "guesthouse-image.json" }, JSON.stringify(manifest));
    for (const { name: of, content, type = "file", linkname } of members)
      archive.entry(
        { name: of, type, ...(linkname === undefined ? {} : { linkname }) },
        content ?? "",
      );
    archive.finalize();
    const chunks: Uint8Array[] = [];
    for await (const chunk of archive as AsyncIterable<Uint8Array>)
      chunks.push(chunk);
    await writeFile(path(name), Buffer.concat(chunks));
    return path(name);
  }

  test("writes nothing outside, follows no link, reads no other file of this host", async () => {
    const house = await elsewhere();
    const witness = path("witness");
    const disk = await readFile(
      (await here.images.resolve(kept.name)).files.disk,
    );
    const secret = path("secret");
    await writeFile(secret, "s3cret".repeat(1000));
    const above = path("above.qcow2");
    await execa("qemu-img", [
      ...["create", "-q", "-f", "qcow2", "-F", "raw", "-b", secret, above],
    ]);
    const backed = await readFile(above);
    const good = { name: "disk.qcow2", content: disk };
    const attacks: [string, readonly Member[], Record<string, unknown>?][] = [
      ["leaves the folder", [{ name: "../witness", content: disk }]],
      ["an absolute name", [{ name: witness, content: disk }]],
      [
        "a link for the disk",
        [{ name: "disk.qcow2", type: "symlink", linkname: secret }],
        {
          members: [
            {
              name: "disk.qcow2",
              size: 6,
              sha256: sha256(Buffer.from("s3cret")),
            },
          ],
        },
      ],
      [
        "one file more",
        [good],
        {
          members: [
            { name: "disk.qcow2", size: disk.length, sha256: sha256(disk) },
            { name: "kernel", size: 4, sha256: sha256(disk) },
          ],
          kernelArguments: "root=/dev/vda",
        },
      ],
      [
        "files that nobody named",
        [good, { name: "initrd", content: disk }],
        {
          members: [
            { name: "disk.qcow2", size: disk.length, sha256: sha256(disk) },
          ],
        },
      ],
      ["the disk twice", [good, good]],
      [
        "a disk that reads another file",
        [{ name: "disk.qcow2", content: backed }],
      ],
      [
        "a disk that is none",
        [{ name: "disk.qcow2", content: Buffer.from("#!/bin/sh") }],
      ],
      [
        "a digest of something else",
        [good],
        {
          members: [
            { name: "disk.qcow2", size: disk.length, sha256: sha256(backed) },
          ],
        },
      ],
      [
        "another size",
        [good],
        { members: [{ name: "disk.qcow2", size: 7, sha256: sha256(disk) }] },
      ],
      ["a user with a shell's letters", [good], { defaultUser: "a;id" }],
      ["arguments in several lines", [good], { kernelArguments: "a\nb" }],
      ["a name of another place", [good], { name: "../../evil" }],
    ];
    for (const [what, members, change] of attacks) {
      const file = await forge("evil", members, change);
      const attempt = await failure(house.images.importFile({ path: file }));
      expect([what, attempt.kind]).toEqual([what, "refused"]);
      expect([what, existsSync(witness)]).toEqual([what, false]);
    }
    await nothingLeft(house);
  });
});
