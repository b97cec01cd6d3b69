import { open, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import {
  checkImage,
  convertImage,
  createOverlay,
  imageInfo,
  resizeDisk,
} from "../../../src/helper/qemu/block.ts";
import { emptyDisk, scratchFolder, waitingMachine } from "./workbench.ts";

const mebibyte = 1024 ** 2;

async function filledDisk(folder: string): Promise<string> {
  const path = await emptyDisk(folder);
  await execa("qemu-io", ["-c", "write -P 0x5a 0 8M", path]);
  return path;
}

test("an overlay is small, private and as large as wanted", async () => {
  const folder = await scratchFolder();
  const base = await filledDisk(folder);
  const path = join(folder, "overlay.qcow2");
  await createOverlay({
    path,
    backingPath: base,
    sizeBytes: 256 * mebibyte,
  });
  const info = await imageInfo(path);
  expect(info).toMatchObject({
    path,
    format: "qcow2",
    virtualSizeBytes: 256 * mebibyte,
    backing: { path: base, virtualSizeBytes: 64 * mebibyte },
  });
  expect(info.actualSizeBytes).toBeLessThan(mebibyte);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test("an overlay never replaces a disk", async () => {
  const folder = await scratchFolder();
  const base = await filledDisk(folder);
  const before = await readFile(base);
  await expect(
    createOverlay({ path: base, backingPath: base }),
  ).rejects.toMatchObject({ failure: { kind: "bug" } });
  expect((await readFile(base)).equals(before)).toBe(true);
});

test("an overlay on nothing fails and leaves nothing", async () => {
  const folder = await scratchFolder();
  const path = join(folder, "overlay.qcow2");
  await expect(
    createOverlay({ path, backingPath: join(folder, "absent.qcow2") }),
  ).rejects.toMatchObject({ failure: { code: "images.broken" } });
});

test("a disk in use can be described, but not grown", async () => {
  const { spec } = await waitingMachine();
  expect((await imageInfo(spec.diskPath)).virtualSizeBytes).toBe(64 * mebibyte);
  await expect(resizeDisk(spec.diskPath, 128 * mebibyte)).rejects.toMatchObject(
    { failure: { code: "images.busy" } },
  );
});

test("a disk grows and never shrinks (B16)", async () => {
  const folder = await scratchFolder();
  const path = await filledDisk(folder);
  await resizeDisk(path, 128 * mebibyte);
  expect((await imageInfo(path)).virtualSizeBytes).toBe(128 * mebibyte);
  await expect(resizeDisk(path, 64 * mebibyte)).rejects.toMatchObject({
    failure: { kind: "bug" },
  });
});

test("sound disks pass the check, damaged and truncated ones don't (B11)", async () => {
  const folder = await scratchFolder();
  const path = await filledDisk(folder);
  await checkImage(path);
  const raw = join(folder, "disk.raw");
  await writeFile(raw, Buffer.alloc(mebibyte));
  await checkImage(raw);

  // The second entry of the level-1 table's page points far behind the end.
  const file = await open(path, "r+");
  const header = Buffer.alloc(48);
  await file.read(header, 0, 48, 0);
  const tableOffset = Number(header.readBigUInt64BE(40));
  const entry = Buffer.alloc(8);
  entry.writeBigUInt64BE(0x8000_0000_7fff_0000n);
  await file.write(entry, 0, 8, tableOffset);
  await file.close();
  await expect(checkImage(path)).rejects.toMatchObject({
    failure: { code: "images.broken" },
  });

  const cut = join(folder, "cut.qcow2");
  await writeFile(cut, await readFile(await filledDisk(await scratchFolder())));
  await truncate(cut, mebibyte);
  await expect(checkImage(cut)).rejects.toMatchObject({
    failure: { code: "images.broken" },
  });
});

test("converting packs a disk, tells its progress and keeps the content", async () => {
  const folder = await scratchFolder();
  const source = await filledDisk(folder);
  const target = join(folder, "packed.qcow2");
  const fractions: number[] = [];
  await convertImage(source, target, {
    format: "qcow2",
    compress: true,
    onProgress: (fraction) => fractions.push(fraction),
  });
  expect(fractions.at(-1)).toBe(1);
  expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
  expect((await stat(target)).size).toBeLessThan(mebibyte);
  await execa("qemu-img", ["compare", source, target]);
});

test("a cancelled conversion ends qemu-img", async () => {
  const folder = await scratchFolder();
  const source = join(folder, "large.raw");
  await writeFile(source, "");
  await truncate(source, 64 * mebibyte);
  await execa("qemu-io", ["-f", "raw", "-c", "write -P 1 0 64M", source]);
  const controller = new AbortController();
  const convert = convertImage(
    source,
    join(folder, "target.qcow2"),
    {
      format: "qcow2",
      compress: true,
      sourceFormat: "raw",
      onProgress: () => controller.abort(),
    },
    controller.signal,
  );
  await expect(convert).rejects.toMatchObject({
    failure: { kind: "cancelled" },
  });
});

test.skipIf(process.platform !== "linux" || process.getuid?.() !== 0)(
  "a full disk is called full [needs root to mount a small tmpfs]",
  async () => {
    const source = await filledDisk(await scratchFolder());
    const small = await scratchFolder();
    await execa("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", small]);
    try {
      await expect(
        convertImage(source, join(small, "target.raw"), { format: "raw" }),
      ).rejects.toMatchObject({ failure: { code: "host.diskFull" } });
    } finally {
      await execa("umount", [small]);
    }
  },
);
