import {
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rm,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLog, silentLog } from "../../../../../src/base/log.ts";
import {
  type FinishedImage,
  openStore,
} from "../../../../../src/helper/images/golden/store.ts";
import {
  type Layout,
  layoutOf,
} from "../../../../../src/helper/store/layout.ts";
import { goldenFacts } from "../goldenFacts.ts";

let home: string;
let layout: Layout;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "gh-store-"));
  layout = layoutOf(home);
});
afterEach(async () => {
  await rm(home, { recursive: true });
});

/** An image whose disk is a text, which is all the same to the store. */
const finished = async (
  name: string,
  disk: string,
  createdAt = "2026-01-01T00:00:00.000Z",
): Promise<FinishedImage> => {
  const folder = join(layout.work, `${name}-${disk}`);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "disk.qcow2"), disk);
  await writeFile(join(folder, "kernel"), "kernel");
  return {
    folder,
    record: {
      name,
      title: name,
      architecture: "amd64",
      source: { kind: "imported", path: "/x", format: "raw" },
      createdAt,
      virtualSizeBytes: 1,
      defaultUser: "guest",
      expectedBootSeconds: 1,
      kernelArguments: "root=/dev/vda",
    },
    report: { checkedAt: createdAt, usable: true, checks: [] },
    facts: goldenFacts,
  };
};

describe("openStore (B19, B26)", () => {
  it("gives back what was committed, by another opening", async () => {
    const store = await openStore(layout, silentLog);
    const stored = await store.commit(await finished("one", "disk"));
    const again = await openStore(layout, silentLog);
    expect(again.names().get("one")).toBe(stored.record.digest);
    expect(again.images().get(stored.record.digest)).toEqual(stored);
    expect(await readdir(layout.work)).toEqual([]);
  });

  it("keeps every name when many are committed at once", async () => {
    const store = await openStore(layout, silentLog);
    await Promise.all(
      Array.from({ length: 20 }, async (_, index) =>
        store.commit(await finished(`image-${String(index)}`, String(index))),
      ),
    );
    const again = await openStore(layout, silentLog);
    expect(again.names().size).toBe(20);
  });

  it("holds the same content once, whatever it is called, and heals it", async () => {
    const store = await openStore(layout, silentLog);
    const one = await store.commit(await finished("one", "disk"));
    const { disk } = layout.image(one.record.digest);
    await rm(disk);
    await writeFile(disk, "damaged");
    const two = await store.commit(await finished("two", "disk"));
    expect(two.record.digest).toBe(one.record.digest);
    expect(await readFile(disk, "utf8")).toBe("disk");
    expect(store.images().size).toBe(1);
    expect(await readdir(layout.work)).toEqual([]);
  });

  it("leaves nothing named when cancelled in the last moment", async () => {
    const store = await openStore(layout, silentLog);
    const controller = new AbortController();
    const image = await finished("one", "disk");
    controller.abort();
    await expect(
      store.commit(image, undefined, controller.signal),
    ).rejects.toThrow();
    expect(store.names().size).toBe(0);
    expect(await readdir(layout.images)).toEqual([]);
  });

  it("makes names anew from the records, the newest of each", async () => {
    const store = await openStore(layout, silentLog);
    await store.commit(
      await finished("one", "new", "2026-02-01T00:00:00.000Z"),
    );
    const newest = store.names().get("one");
    await store.commit(
      await finished("one", "old", "2026-01-01T00:00:00.000Z"),
    );
    for (const names of ["", "[]", '{"version":1,"names":{"one":"sha1:x"}}']) {
      await writeFile(layout.imageNames, names);
      const again = await openStore(layout, silentLog);
      expect(again.names().get("one")).toBe(newest);
    }
  });

  it("leaves a folder alone whose record is broken, and says so in the log", async () => {
    const store = await openStore(layout, silentLog);
    const { record } = await store.commit(await finished("one", "disk"));
    await writeFile(layout.image(record.digest).record, "{}");
    const lines: string[] = [];
    const again = await openStore(
      layout,
      createLog((line) => lines.push(line)),
    );
    expect(again.names().size).toBe(0);
    expect(await readFile(layout.image(record.digest).disk, "utf8")).toBe(
      "disk",
    );
    expect(lines.join()).toContain(record.digest);
  });
});
