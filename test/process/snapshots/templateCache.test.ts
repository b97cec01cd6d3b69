import {
  mkdtemp,
  readdir,
  readFile,
  rm,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makePrivateFolder } from "../../../src/base/files.ts";
import { createLog } from "../../../src/base/log.ts";
import { createOverlay, imageInfo } from "../../../src/helper/qemu/block.ts";
import { openTemplateCache } from "../../../src/helper/snapshots/templateCache.ts";
import {
  emptyOverlay,
  type TemplateRecord,
} from "../../../src/helper/snapshots/templates.ts";
import { layoutOf, type Layout } from "../../../src/helper/store/layout.ts";
import { execa } from "execa";

let folder: string;
let cacheFolder: string;
const warnings: string[] = [];
const log = createLog((line) => warnings.push(JSON.stringify(line)));
const signal = new AbortController().signal;
const key = "0123456789abcdef";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gh-templates-"));
  cacheFolder = join(folder, "cache");
  warnings.length = 0;
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A data folder with an image's disk. */
async function home(name: string): Promise<{ layout: Layout; disk: string }> {
  const layout = layoutOf(join(folder, name));
  await makePrivateFolder(layout.home);
  const disk = join(layout.home, `${name}.qcow2`);
  await execa("qemu-img", ["create", "-q", "-f", "qcow2", disk, "8M"]);
  return { layout, disk };
}

/** A template as one that was just made lies there. */
async function made(
  { layout, disk }: { layout: Layout; disk: string },
  id: string,
): Promise<TemplateRecord> {
  const layer = "00000000000000aa";
  const files = layout.template(id);
  await makePrivateFolder(files.folder);
  await makePrivateFolder(layout.layers);
  await writeFile(files.memory, "what the guest remembers");
  await writeFile(files.state, "its devices");
  const path = layout.layer(layer);
  await createOverlay({ path, backingPath: disk });
  const now = new Date(0).toISOString();
  return {
    format: 1,
    id,
    image: { name: "debian-12", digest: "sha256:00" },
    shape: { cpus: 1, memoryMiB: 512, diskGiB: 20, user: "debian" },
    layer,
    network: "user",
    createdAt: now,
    lastUsedAt: now,
    sizeBytes: 1,
  };
}

test("what one data folder made, another takes over: its own id, its own image's disk below, an empty overlay on top", async () => {
  const one = await home("one");
  const record = await made(one, "1111111111111111");
  await openTemplateCache(cacheFolder, one.layout, log).keep(key, record);

  const two = await home("two");
  const id = "2222222222222222";
  const taken = await openTemplateCache(cacheFolder, two.layout, log).fetch(
    key,
    { id, imageDisk: two.disk },
    signal,
  );
  expect(taken).toMatchObject({ id, image: record.image, shape: record.shape });
  expect(taken?.layer).not.toBe(record.layer);
  const files = two.layout.template(id);
  expect(await readFile(files.memory, "utf8")).toBe("what the guest remembers");
  expect(await readFile(files.state, "utf8")).toBe("its devices");
  const chain = async (path: string): Promise<string> =>
    (await execa("qemu-img", ["info", "--output=json", path])).stdout;
  expect(await chain(two.layout.layer(taken?.layer ?? ""))).toContain(two.disk);
  expect(await chain(emptyOverlay(files))).toContain(taken?.layer);
  expect((await imageInfo(emptyOverlay(files))).virtualSizeBytes).toBe(
    8 * 1024 ** 2,
  );
  expect(warnings).toEqual([]);
});

test("what isn't there, is cut off or can't be read is passed over, and leaves nothing behind", async () => {
  const one = await home("one");
  const cache = openTemplateCache(cacheFolder, one.layout, log);
  const id = "1111111111111111";
  const here = { id, imageDisk: one.disk };
  expect(await cache.fetch(key, here, signal)).toBeUndefined();
  await cache.keep(key, await made(one, "3333333333333333"));

  await truncate(join(cacheFolder, key, "state"), 3);
  expect(await cache.fetch(key, here, signal)).toBeUndefined();
  await writeFile(join(cacheFolder, key, "entry.json"), "{");
  expect(await cache.fetch(key, here, signal)).toBeUndefined();
  expect(await readdir(one.layout.templates)).toEqual(["3333333333333333"]);
  expect(await readdir(one.layout.layers)).toHaveLength(1);
  expect(warnings.join()).toContain("is not as it was kept");
});

test("only the entries used last stay, and none of Windows; without a folder there is no cache", async () => {
  const one = await home("one");
  const cache = openTemplateCache(cacheFolder, one.layout, log);
  const record = await made(one, "1111111111111111");
  const card = { macAddress: "", guestAddress: "" };
  await cache.keep("windows", { ...record, card });
  for (let i = 0; i < 9; i++) await cache.keep(`key-${String(i)}`, record);
  const kept = await readdir(cacheFolder);
  expect(kept).toHaveLength(6);
  expect(kept).toContain("key-8");
  await openTemplateCache("", one.layout, log).keep(key, record);
  const here = { id: record.id, imageDisk: one.disk };
  const none = openTemplateCache(undefined, one.layout, log);
  expect(await none.fetch(key, here, signal)).toBeUndefined();
});
