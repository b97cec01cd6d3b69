import { lstat, rm } from "node:fs/promises";
import { join } from "node:path";
import { allocatedBytes, isMissing, namesIn } from "../../base/files.ts";
import type { StorageItem } from "../../protocol/storage.ts";
import type { Layout } from "../store/layout.ts";
import { machineIds, readRecord } from "../store/records.ts";
import {
  fileKey,
  layerIds,
  layerUses,
  ownBytes,
  unusedLayers,
} from "../snapshots/layers.ts";
import { readTemplateRecord } from "../snapshots/templates.ts";

/** What the folder alone can't tell. */
export interface StorageFacts {
  /** Names that mean this image, machines that stand on it, and why it may go all the same. */
  readonly image: (digest: string) => {
    readonly names: readonly string[];
    readonly users: readonly string[];
    readonly stale?: string | undefined;
  };
  /** Removes an image and its templates, and answers with the bytes freed; undefined when something stands on it. */
  readonly removeImage: (digest: string) => Promise<number | undefined>;
  /** Images are being brought here or made: caches and scratch folders are theirs. */
  readonly imagesWorking: () => boolean;
  /** Does a machine with this id exist, on its way in or out too? */
  readonly machineKnown: (id: string) => boolean;
  /** What waits in a machine's folder for a name; undefined for anything else. */
  readonly pooled: (id: string) => string | undefined;
  /** Runs alone among the verbs of one machine. */
  readonly alone: <T>(machineId: string, work: () => Promise<T>) => Promise<T>;
  /** Removes a template and answers with the bytes freed. */
  readonly removeTemplate: (id: string) => Promise<number>;
}

const doomed = /^\.deleting-/;

/** Everything that takes room on the host's disk; a file with several names is counted once. */
export async function storageItems(
  layout: Layout,
  facts: StorageFacts,
): Promise<StorageItem[]> {
  const tally = new Tally();
  const items: StorageItem[] = [];
  for (const id of await machineIds(layout)) {
    const files = layout.machine(id);
    const read = await readRecord(files);
    const pooled = read.kind === "missing" ? facts.pooled(id) : undefined;
    const name = read.kind === "read" ? read.value.name : (pooled ?? id);
    const checkpoints = read.kind === "read" ? read.value.checkpoints : [];
    const kept = await tally.all(
      checkpoints.map((one) => files.checkpoint(one.id).folder),
    );
    items.push({
      ...item("machine", id, name, await tally.folder(files.folder)),
      reason:
        read.kind === "corrupt"
          ? "its record can't be read"
          : pooled === undefined
            ? "a machine"
            : "waits to be the next machine; see the pool",
    });
    checkpoints.forEach(({ id: checkpoint, note, automatic }, index) =>
      items.push({
        ...item("checkpoint", checkpoint, note || checkpoint, kept[index] ?? 0),
        reason: `${automatic ? "an automatic" : "a"} checkpoint of ${name}`,
      }),
    );
  }
  items.push(...(await layerItems(layout, tally)));
  items.push(...(await templateItems(layout, facts, tally)));
  items.push(...(await imageItems(layout, facts, tally)));
  items.push(...(await logItems(layout, facts, tally)));
  items.push(...(await scratchItems(layout, facts, tally)));
  return items;
}

/**
 * Removes what is reclaimable, looking at each thing again at the moment when it goes, under its machine's lock where
 * it has one; answers with what went.
 */
export async function reclaim(
  layout: Layout,
  facts: StorageFacts,
  signal: AbortSignal,
): Promise<{ removed: StorageItem[]; freedBytes: number }> {
  const removed: StorageItem[] = [];
  let freedBytes = 0;
  for (const each of await storageItems(layout, facts)) {
    if (!each.reclaimable) continue;
    signal.throwIfAborted();
    const bytes = await removeItem(each, layout, facts);
    if (bytes === undefined) continue;
    removed.push(each);
    freedBytes += bytes;
  }
  return { removed, freedBytes };
}

/** The bytes freed; undefined when it must stay after all. */
async function removeItem(
  { kind, id, bytes }: StorageItem,
  layout: Layout,
  facts: StorageFacts,
): Promise<number | undefined> {
  switch (kind) {
    case "layer": {
      if (!(await unusedLayers(layout)).includes(id)) return undefined;
      const freed = await ownBytes(layout.layer(id));
      await rm(layout.layer(id), { force: true });
      return freed;
    }
    case "template":
      return (await facts.removeTemplate(id)) || undefined;
    case "log":
      return facts.alone(id, async () => {
        if (facts.machineKnown(id)) return undefined;
        await rm(layout.machine(id).log, { force: true });
        return bytes;
      });
    case "cache":
    case "leftover":
      if (!doomed.test(id.split("/").at(-1) ?? "") && facts.imagesWorking())
        return undefined;
      await rm(join(layout.home, id), { recursive: true, force: true });
      return bytes;
    case "image":
      return facts.removeImage(id);
    case "machine":
    case "checkpoint":
      return undefined;
  }
}

async function layerItems(
  layout: Layout,
  tally: Tally,
): Promise<StorageItem[]> {
  const candidates = await layerIds(layout);
  // One unreadable record or disk must not hide all the rest; only nothing can be called unused then.
  const uses = await layerUses(layout).catch(() => undefined);
  const items: StorageItem[] = [];
  for (const id of candidates) {
    const bytes = await tally.file(layout.layer(id));
    const users = uses?.get(id) ?? [];
    const unused = uses !== undefined && users.length === 0;
    items.push({
      ...item("layer", id, `frozen disk ${id}`, bytes),
      reclaimable: unused,
      reason: unused
        ? "nothing stands on it any more"
        : uses === undefined
          ? "a record or a disk can't be read, so what stands on it is unknown"
          : `below ${users.join(", ")}`,
    });
  }
  return items;
}

async function templateItems(
  layout: Layout,
  facts: StorageFacts,
  tally: Tally,
): Promise<StorageItem[]> {
  const items: StorageItem[] = [];
  for (const id of await namesIn(layout.templates)) {
    if (doomed.test(id)) continue;
    const { folder, record } = layout.template(id);
    const read = await readTemplateRecord(record);
    const outdated =
      read !== undefined && facts.image(read.image.digest).names.length === 0;
    items.push({
      ...item(
        "template",
        id,
        `warm template of ${read?.image.name ?? id}`,
        await tally.folder(folder),
      ),
      reclaimable: outdated,
      reason:
        read === undefined
          ? "being made"
          : outdated
            ? "its image was replaced or deleted"
            : "new machines resume from it; delete it by its name to free this",
    });
  }
  return items;
}

async function imageItems(
  layout: Layout,
  facts: StorageFacts,
  tally: Tally,
): Promise<StorageItem[]> {
  const items: StorageItem[] = [];
  for (const folder of await namesIn(layout.images)) {
    if (!/^sha256-[0-9a-f]{64}$/.test(folder)) continue;
    const digest = folder.replace("-", ":");
    const { names, users, stale } = facts.image(digest);
    const goes = stale !== undefined && users.length === 0;
    items.push({
      ...item(
        "image",
        digest,
        names.join(", ") || digest.slice(0, 19),
        await tally.folder(join(layout.images, folder)),
      ),
      reclaimable: goes,
      reason: goes
        ? stale
        : users.length > 0
          ? `below ${users.join(", ")}`
          : "kept for new machines until you delete it",
    });
  }
  for (const name of await namesIn(layout.installs))
    items.push({
      ...item(
        "image",
        `installs/${name}`,
        name,
        await tally.folder(join(layout.installs, name)),
      ),
      reason: "Windows is being installed, or failed to be",
    });
  return items;
}

async function logItems(
  layout: Layout,
  facts: StorageFacts,
  tally: Tally,
): Promise<StorageItem[]> {
  const items: StorageItem[] = [];
  for (const name of await namesIn(layout.logs)) {
    const id = /^([0-9a-f]{12})\.log$/.exec(name)?.[1];
    if (id === undefined) continue;
    const orphan = !facts.machineKnown(id);
    items.push({
      ...item(
        "log",
        id,
        `boot log ${name}`,
        await tally.file(join(layout.logs, name)),
      ),
      reclaimable: orphan,
      reason: orphan ? "its machine was deleted" : "of a machine",
    });
  }
  return items;
}

async function scratchItems(
  layout: Layout,
  facts: StorageFacts,
  tally: Tally,
): Promise<StorageItem[]> {
  const working = facts.imagesWorking();
  const items: StorageItem[] = [];
  const add = async (
    kind: "cache" | "leftover",
    parent: string,
    name: string,
    busy: boolean,
  ): Promise<void> => {
    const path = join(layout.home, parent, name);
    items.push({
      ...item(
        kind,
        `${parent}/${name}`,
        `${parent}/${name}`,
        await tally.folder(path),
      ),
      reclaimable: !busy,
      reason: busy
        ? "something is being made with it"
        : kind === "cache"
          ? "downloaded again when needed"
          : "left by something that was broken off",
    });
  };
  for (const name of await namesIn(layout.cache))
    await add("cache", "cache", name, working);
  for (const name of await namesIn(layout.downloads))
    await add("cache", "downloads", name, working);
  for (const id of await namesIn(layout.clones))
    items.push({
      ...item(
        "cache",
        `clones/${id}`,
        `clones/${id}`,
        await tally.folder(layout.clone(id).folder),
      ),
      reason: "a repository that workspaces are made of",
    });
  for (const name of await namesIn(layout.work))
    await add("leftover", "work", name, working);
  for (const parent of ["machines", "templates", "images"])
    for (const name of await namesIn(join(layout.home, parent)))
      if (doomed.test(name)) await add("leftover", parent, name, false);
  return items;
}

const item = (
  kind: StorageItem["kind"],
  id: string,
  title: string,
  bytes: number,
): Omit<StorageItem, "reason"> => ({
  kind,
  id,
  title,
  bytes,
  reclaimable: false,
});

/** What a folder really takes on the disk. */
export const folderBytes = (path: string): Promise<number> =>
  new Tally().folder(path);

/** Counts files by what they are and not by their names: the first who counts one has it. */
class Tally {
  readonly #counted = new Set<string>();

  async file(path: string): Promise<number> {
    const key = await fileKey(path);
    if (key === undefined || this.#counted.has(key)) return 0;
    this.#counted.add(key);
    return allocatedBytes(path);
  }

  async folder(path: string): Promise<number> {
    try {
      if (!(await lstat(path)).isDirectory()) return await this.file(path);
    } catch (error) {
      if (isMissing(error)) return 0;
      throw error;
    }
    const sizes = await this.all(
      (await namesIn(path)).map((name) => join(path, name)),
    );
    return sizes.reduce((sum, bytes) => sum + bytes, 0);
  }

  async all(paths: readonly string[]): Promise<number[]> {
    const sizes: number[] = [];
    for (const path of paths) sizes.push(await this.folder(path));
    return sizes;
  }
}
