import { mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import type { StorageItem } from "../../../src/protocol/storage.ts";
import { freezeAtRest } from "../../../src/helper/snapshots/freeze.ts";
import {
  reclaim,
  storageItems,
  type StorageFacts,
} from "../../../src/helper/storage/storage.ts";
import type { Layout } from "../../../src/helper/store/layout.ts";
import { writeRecord } from "../../../src/helper/store/records.ts";
import { holds, home, machineId } from "./bareMachine.ts";
import { machineRecord } from "./machineRecord.ts";

const facts = (changes: Partial<StorageFacts> = {}): StorageFacts => ({
  image: () => ({ names: ["debian-12"], users: ["attic"] }),
  imagesWorking: () => false,
  machineKnown: (id) => id === machineId,
  pooled: () => undefined,
  alone: (_, work) => work(),
  removeTemplate: () => Promise.resolve(0),
  removeImage: () => Promise.resolve(undefined),
  ...changes,
});

const never = new AbortController().signal;

const find = (
  items: readonly StorageItem[],
  kind: StorageItem["kind"],
  id: string,
): StorageItem => {
  const item = items.find((one) => one.kind === kind && one.id === id);
  if (item === undefined) throw new Error(`no ${kind} ${id}`);
  return item;
};

async function furnished(): Promise<{
  layout: Layout;
  used: string;
  kept: string;
  unused: string;
}> {
  const { layout, files } = await home();
  await execa("qemu-io", ["-c", "write -P 7 7M 1M", files.disk]);
  const used = await freezeAtRest(layout, files);
  const kept = "aaaaaaaaaaaaaaaa";
  const unused = "bbbbbbbbbbbbbbbb";
  for (const id of [kept, unused])
    await execa("cp", [layout.layer(used), layout.layer(id)]);
  await writeRecord(files, {
    ...machineRecord,
    checkpoints: [
      {
        id: "cccccccc",
        note: "before the update",
        createdAt: new Date(0).toISOString(),
        memory: true,
        automatic: false,
        sizeBytes: 0,
        layer: kept,
        leases: 1,
        shape: { cpus: 1, memoryMiB: 160, diskGiB: 1, screen: false },
      },
    ],
  });
  const { folder, state } = files.checkpoint("cccccccc");
  await mkdir(folder, { recursive: true });
  await writeFile(state, Buffer.alloc(100_000, 1));
  await writeFile(files.log, "x".repeat(5_000));
  await writeFile(join(layout.logs, "dddddddddddd.log"), "x".repeat(5_000));
  await writeFile(join(layout.logs, "helper.log"), "x");
  for (const path of [
    join(layout.work, "broken"),
    join(layout.downloads, "old"),
    join(layout.machines, ".deleting-eeeeeeeeeeee"),
    join(layout.installs, "windows-11"),
  ]) {
    await mkdir(path, { recursive: true });
    await writeFile(join(path, "file"), Buffer.alloc(50_000, 1));
  }
  return { layout, used, kept, unused };
}

test("says what takes room, what stands on it and what can go", async () => {
  const { layout, used, kept, unused } = await furnished();
  const items = await storageItems(layout, facts());
  expect(find(items, "layer", used)).toMatchObject({
    reclaimable: false,
    reason: "below attic",
  });
  expect(find(items, "layer", kept)).toMatchObject({
    reclaimable: false,
    reason: "below checkpoint cccccccc of attic",
  });
  expect(find(items, "layer", unused).reclaimable).toBe(true);
  expect(find(items, "machine", machineId).reclaimable).toBe(false);
  expect(find(items, "image", "installs/windows-11").reclaimable).toBe(false);
  const checkpoint = find(items, "checkpoint", "cccccccc");
  expect(checkpoint.title).toBe("before the update");
  expect(checkpoint.bytes).toBeGreaterThanOrEqual(100_000);
  expect(find(items, "log", machineId).reclaimable).toBe(false);
  expect(find(items, "log", "dddddddddddd").reclaimable).toBe(true);
  // As du(1) counts it: every file once, whatever it is called.
  const { stdout } = await execa("du", [
    ...["-s", "--block-size=1"],
    ...[layout.layers, layout.machines, layout.work, layout.downloads],
    layout.installs,
  ]);
  const folders = stdout
    .split("\n")
    .reduce((sum, line) => sum + Number(line.split("\t")[0]), 0);
  const mine = items
    .filter(({ kind }) => kind !== "log")
    .reduce((sum, { bytes }) => sum + bytes, 0);
  expect(mine).toBeLessThanOrEqual(folders);
  expect(mine).toBeGreaterThan(folders * 0.9 - 64 * 1024);
});

test("takes what nothing stands on, and nothing else", async () => {
  const { layout, used, kept, unused } = await furnished();
  const { removed, freedBytes } = await reclaim(layout, facts(), never);
  expect(removed.map(({ kind, id }) => `${kind} ${id}`).sort()).toEqual(
    [
      `layer ${unused}`,
      "log dddddddddddd",
      "cache downloads/old",
      "leftover machines/.deleting-eeeeeeeeeeee",
      "leftover work/broken",
    ].sort(),
  );
  expect(freedBytes).toBeGreaterThan(1024 ** 2);
  expect((await readdir(layout.layers)).sort()).toEqual(
    [`${used}.qcow2`, `${kept}.qcow2`].sort(),
  );
  expect(await holds(layout.machine(machineId).disk, 7, 7)).toBe(true);
  await stat(layout.machine(machineId).log);
  await stat(join(layout.logs, "helper.log"));
  expect((await reclaim(layout, facts(), never)).removed).toEqual([]);
});

test("looks again: what is needed since it was listed stays", async () => {
  const { layout, unused } = await furnished();
  const machines: string[] = [machineId];
  const { removed } = await reclaim(
    layout,
    facts({
      imagesWorking: () => machines.length > 1,
      machineKnown: (id) => machines.includes(id),
      alone: (id, work) => {
        machines.push(id);
        return work();
      },
    }),
    never,
  );
  expect(removed.map(({ kind }) => kind).sort()).toEqual(["layer", "leftover"]);
  expect(removed.map(({ id }) => id)).toContain(unused);
});

test("one unreadable record: the rest is shown, and no layer goes", async () => {
  const { layout, unused } = await furnished();
  const broken = layout.machine("ffffffffffff");
  await mkdir(broken.folder);
  await writeFile(broken.record, "{");
  const items = await storageItems(layout, facts());
  expect(find(items, "layer", unused)).toMatchObject({ reclaimable: false });
  const { removed } = await reclaim(layout, facts(), never);
  expect(removed.filter(({ kind }) => kind === "layer")).toEqual([]);
});
