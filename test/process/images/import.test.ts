import { createHash, randomBytes } from "node:crypto";
import {
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rm,
  stat,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { ImageReport } from "../../../src/protocol/images.ts";
import { layoutOf } from "../../../src/helper/store/layout.ts";
import { makeRootDisk } from "./disks.ts";
import { type ImageHouse, imageHouse } from "./house.ts";

let folder: string;
let raw: string;
const houses: ImageHouse[] = [];
const path = (name: string): string => join(folder, name);
const qemuImg = (...args: string[]): Promise<unknown> =>
  execa("qemu-img", args);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gh-import-"));
  raw = path("disk.raw");
  await makeRootDisk(raw);
  await qemuImg("convert", "-O", "qcow2", raw, path("disk.qcow2"));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});
afterEach(async () => {
  for (const house of houses.splice(0)) await house[Symbol.asyncDispose]();
});
const open = async (
  ...args: Parameters<typeof imageHouse>
): Promise<ImageHouse> => {
  const house = await imageHouse(...args);
  houses.push(house);
  return house;
};
const nothingLeft = async ({ layout }: ImageHouse): Promise<void> => {
  for (const place of [layout.work, layout.downloads, layout.images])
    expect(await readdir(place).catch(() => [])).toEqual([]);
};

describe("import", () => {
  test.each([
    ["qcow2", []],
    ["raw", []],
    ["vmdk", ["-o", "subformat=monolithicSparse"]],
    ["vmdk", ["-o", "subformat=streamOptimized"]],
    ["vhdx", []],
    ["vdi", []],
  ])(
    "takes a %s %j, whatever it is called, with the same contents",
    async (format, options) => {
      const source = path(`some ${format}${String(options.length)}.bin`);
      await qemuImg("convert", "-O", format, ...options, raw, source);
      const house = await open();
      const image = await house.images.importFile({
        path: source,
        name: "mine",
        user: "dev",
      });
      expect(image).toMatchObject({
        name: "mine",
        state: { kind: "ready" },
        source: { kind: "imported", format },
        defaultUser: "dev",
      });
      const { files } = await house.images.resolve("mine");
      await qemuImg("compare", raw, files.disk);
      expect((await stat(source)).size).toBeGreaterThan(0);
    },
  );

  test("takes its name from the file's, and not twice", async () => {
    const source = path("My Server (v2).qcow2");
    await qemuImg("convert", "-O", "qcow2", raw, source);
    const house = await open();
    const { name } = await house.images.importFile({ path: source });
    expect(name).toBe("my-server-v2");
    await expect(
      house.images.importFile({ path: source }),
    ).rejects.toMatchObject({ failure: { code: "images.exists" } });
    await expect(
      house.images.importFile({ path: source, name: "debian-12" }),
    ).rejects.toMatchObject({ failure: { code: "images.exists" } });
    await expect(
      house.images.importFile({ path: source, name: "a; rm -rf" }),
    ).rejects.toMatchObject({ failure: { code: "request.invalid" } });
  });

  test("compares the checksum before anything else (B26)", async () => {
    const house = await open();
    const sha512 = createHash("sha512")
      .update(await readFile(path("disk.qcow2")))
      .digest("hex");
    await expect(
      house.images.importFile({
        path: path("disk.qcow2"),
        checksum: `sha256:${"0".repeat(64)}`,
      }),
    ).rejects.toMatchObject({
      failure: {
        kind: "failed",
        code: "images.digestMismatch",
        message: expect.stringContaining("disk.qcow2 is not what") as string,
      },
    });
    await nothingLeft(house);
    await house.images.importFile({
      path: path("disk.qcow2"),
      checksum: `sha512:${sha512}`,
    });
  });

  test("finds a qcow2 that was cut short", async () => {
    const cut = path("cut.qcow2");
    await writeFile(cut, await readFile(path("disk.qcow2")));
    await truncate(cut, 1024 * 1024);
    const house = await open();
    await expect(house.images.importFile({ path: cut })).rejects.toMatchObject({
      failure: {
        kind: "failed",
        code: "images.broken",
        message: "cut.qcow2 is damaged or was cut short.",
        remedy: expect.stringContaining("Get the file again") as string,
      },
    });
    await nothingLeft(house);
    expect(house.prepared).toBe(0);
  });

  test("never reads a file that the image names", async () => {
    const secret = path("secret");
    await writeFile(secret, randomBytes(1024 * 1024));
    const overlay = path("overlay.qcow2");
    await qemuImg("create", "-f", "qcow2", "-F", "raw", "-b", secret, overlay);
    const external = path("external.qcow2");
    await qemuImg(
      "create",
      "-f",
      "qcow2",
      "-o",
      `data_file=${path("data")},data_file_raw=on`,
      external,
      "1M",
    );
    const flat = path("flat.vmdk");
    await qemuImg(
      "create",
      "-f",
      "vmdk",
      "-o",
      "subformat=monolithicFlat",
      flat,
      "1M",
    );
    const child = path("child.vmdk");
    const parent = path("parent.vmdk");
    await qemuImg("convert", "-O", "vmdk", raw, parent);
    await qemuImg("create", "-f", "vmdk", "-F", "vmdk", "-b", parent, child);
    const house = await open();
    for (const image of [overlay, external, flat, child])
      await expect(
        house.images.importFile({ path: image }),
      ).rejects.toMatchObject({
        failure: { kind: "refused", code: "images.invalid" },
      });
    await nothingLeft(house);
  });

  test("a raw disk that poses as a description is read as raw", async () => {
    const secret = path("secret2");
    await writeFile(secret, "s".repeat(65_536));
    const posing = path("posing.img");
    // The first KiB of an ext file system is free for a boot loader.
    const content = await readFile(raw);
    content.write(
      `version=1\nCID=1\nparentCID=ffffffff\ncreateType="monolithicFlat"\nRW 128 FLAT "${secret}" 0\n`,
    );
    content.writeUInt16LE(0xaa55, 510);
    await writeFile(posing, content);
    const house = await open();
    await house.images.importFile({ path: posing, name: "posing" });
    const { files } = await house.images.resolve("posing");
    await qemuImg("compare", "-f", "raw", "-F", "qcow2", posing, files.disk);
  });

  test("a full disk ends it with nothing left behind", async ({ skip }) => {
    if (process.getuid?.() !== 0) skip("mounting a small tmpfs needs root");
    const small = path("small");
    await mkdir(small);
    await execa("mount", ["-t", "tmpfs", "-o", "size=3m", "tmpfs", small]);
    try {
      // 4 MiB of noise can't fit: known beforehand.
      const house = await open({ layout: layoutOf(small) });
      await expect(
        house.images.importFile({ path: raw, name: "big" }),
      ).rejects.toMatchObject({
        failure: {
          kind: "failed",
          code: "host.diskFull",
          message: expect.stringMatching(
            /needs 3\.\d MiB .* only [\d.]+ MiB are free/,
          ) as string,
          remedy: expect.stringContaining("Free some space") as string,
        },
      });
      // Packed, the file is small, and what it unpacks to is found out while writing.
      const packed = path("packed.qcow2");
      const text = path("text.raw");
      await makeRootDisk(text);
      const disk = await readFile(text);
      disk.fill("x", 5 * 2 ** 20);
      await writeFile(text, disk);
      await qemuImg("convert", "-c", "-O", "qcow2", text, packed);
      await expect(
        house.images.importFile({ path: packed, name: "packed" }),
      ).rejects.toMatchObject({ failure: { code: "host.diskFull" } });
      expect(await readdir(join(small, "work"))).toEqual([]);
      expect(await readdir(join(small, "images"))).toEqual([]);
      expect(await house.images.list()).not.toContainEqual(
        expect.objectContaining({ name: "packed" }),
      );
      await house.images.close();
    } finally {
      await execa("umount", ["-l", small]);
    }
  });

  test.each<[string, string[], RegExp]>([
    ["kernel modules", ["lib/modules"], /There is no kernel: \/lib\/modules/],
    ["an init", ["sbin/init"], /There is no init/],
    ["cloud-init", ["usr/bin/cloud-init"], /cloud-init is not installed/],
    ["sshd", ["usr/sbin/sshd"], /sshd is not installed/],
  ])(
    "a disk without %s is refused at once, with what to do (B11)",
    async (_what, without, message) => {
      const disk = path(
        `without-${without.join("-").replaceAll("/", "-")}.raw`,
      );
      await makeRootDisk(disk, without);
      const house = await open();
      await expect(
        house.images.importFile({ path: disk, name: "mine" }),
      ).rejects.toMatchObject({
        failure: {
          kind: "failed",
          code: "images.invalid",
          message: expect.stringMatching(message) as string,
          remedy: expect.stringMatching(
            /^Install .* import it again/,
          ) as string,
        },
      });
      expect(house.prepared).toBe(0);
      await nothingLeft(house);
    },
  );

  test("looks into the partitions of a disk (B11)", async () => {
    const root = path("part.root");
    await makeRootDisk(root, ["lib/modules"]);
    for (const label of ["dos", "gpt"]) {
      const disk = path(`part.${label}`);
      await execa("truncate", ["-s", "12M", disk]);
      await execa("sfdisk", ["--quiet", disk], {
        input: `label: ${label}\nstart=2048, size=2048\nstart=4096, size=16384\n`,
      });
      await execa("dd", [
        `if=${root}`,
        `of=${disk}`,
        "bs=1M",
        "seek=2",
        "conv=notrunc",
        "status=none",
      ]);
      const house = await open();
      await expect(
        house.images.importFile({ path: disk, name: "mine" }),
      ).rejects.toMatchObject({
        failure: {
          message: expect.stringContaining("There is no kernel") as string,
        },
      });
    }
  });

  test("an empty disk is refused at once", async () => {
    const empty = path("empty.qcow2");
    await qemuImg("create", "-f", "qcow2", empty, "64M");
    const house = await open();
    await expect(
      house.images.importFile({ path: empty }),
    ).rejects.toMatchObject({
      failure: {
        code: "images.invalid",
        message: expect.stringContaining("holds no file system") as string,
      },
    });
  });

  test("a report is there to read afterwards", async () => {
    const house = await open();
    await house.images.importFile({ path: raw, name: "mine" });
    const { report } = await house.images.validate("mine");
    expect(report.checks.map(({ id }) => id).slice(0, 4)).toEqual([
      "disk.digest",
      "disk.structure",
      "kernel.digest",
      "initrd.digest",
    ]);
    const onDisk = JSON.parse(
      await readFile((await house.images.resolve("mine")).files.report, "utf8"),
    ) as { report: ImageReport };
    expect(onDisk.report).toEqual(report);
  });
});

test("a disk with Windows is taken as it is, kept as Windows, and says that nobody looked into it", async () => {
  const house = await open();
  // NTFS' boot sector: nothing that Linux would boot from.
  const sector = Buffer.alloc(512);
  sector.write("NTFS    ", 3);
  sector.writeUInt16BE(0x55aa, 510);
  await writeFile(path("windows.raw"), sector);
  await truncate(path("windows.raw"), 4 * 1024 ** 2);
  const wish = { path: path("windows.raw"), name: "w11" };
  await expect(house.images.importFile(wish)).rejects.toMatchObject({
    failure: { code: "images.invalid" },
  });
  await expect(
    house.images.importFile({ ...wish, os: "windows" }),
  ).rejects.toMatchObject({ failure: { code: "request.invalid" } });
  const image = await house.images.importFile({
    ...wish,
    os: "windows",
    user: "dev",
  });
  expect(image).toMatchObject({ os: "windows", state: { kind: "ready" } });
  expect(image.report?.checks).toMatchObject([{ outcome: "warning" }]);
  expect(house.prepared).toBe(0);
  await house.restart();
  expect(await house.images.resolve("w11")).toMatchObject({
    os: "windows",
    defaultUser: "dev",
    directBoot: false,
  });
});
