import { randomBytes } from "node:crypto";
import { lstat, rm } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { allocatedBytes, isMissing, namesIn } from "../../base/files.ts";
import { failed } from "../../protocol/failure.ts";
import { readQcow2Header } from "../qemu/qcow2.ts";
import type { Layout } from "../store/layout.ts";
import { machineIds, readRecord } from "../store/records.ts";
import { readTemplateRecord } from "./templates.ts";

const layerFile = /^([0-9a-f]{16})\.qcow2$/;

export const newLayerId = (): string => randomBytes(8).toString("hex");

/** The id of the layer that a path names; undefined for any other file. */
export const layerIdOf = (layout: Layout, path: string): string | undefined =>
  dirname(path) === layout.layers
    ? layerFile.exec(basename(path))?.[1]
    : undefined;

/** Ids of every layer on disk. */
export async function layerIds(layout: Layout): Promise<string[]> {
  return (await namesIn(layout.layers))
    .map((name) => layerFile.exec(name)?.[1])
    .filter((id) => id !== undefined);
}

/** What stands on each layer, directly or through others, for people; a layer that is not named here is unused. */
export type LayerUses = ReadonlyMap<string, readonly string[]>;

/**
 * Finds out what stands on which layer: the disks of machines (also of those in the making) and templates by the names
 * in their headers, checkpoints by their machine's record. A layer that is the very file of a machine's disk is used
 * too: that is how a running machine's disk is named (see `freeze.ts`).
 * Throws when something can't be read, as then nothing may be called unused.
 */
export async function layerUses(layout: Layout): Promise<LayerUses> {
  const uses = new Map<string, string[]>();
  const below = new Map<string, string | undefined>();
  const use = async (from: string, who: string): Promise<void> => {
    for (
      let path: string | undefined = from;
      path !== undefined;
      path = await belowOf(path, below)
    ) {
      const id = layerIdOf(layout, path);
      if (id === undefined) continue;
      const users = uses.get(id) ?? [];
      if (users.includes(who)) return;
      uses.set(id, [...users, who]);
    }
  };
  const disks = new Map<string, string>();
  const useDisk = async (path: string, who: string): Promise<void> => {
    const file = await fileKey(path);
    if (file === undefined) return;
    disks.set(file, who);
    await use(path, who);
  };
  for (const id of await machineIds(layout)) {
    const files = layout.machine(id);
    const record = await readRecord(files);
    if (record.kind === "corrupt")
      throw failed(
        "host.toolFailed",
        `The record ${files.record} can't be read, so nothing can be said about what stands on what: ${record.reason}`,
        { remedy: "Mend that file or remove its folder, then try again." },
      );
    const who = record.kind === "read" ? record.value.name : id;
    // The overlay first: a rename between the two looks shows it twice, the other way round it might show neither.
    await useDisk(files.nextDisk, who);
    await useDisk(files.disk, who);
    if (record.kind === "read")
      for (const { id: checkpoint, layer } of record.value.checkpoints)
        await use(layout.layer(layer), `checkpoint ${checkpoint} of ${who}`);
  }
  for (const id of await namesIn(layout.templates)) {
    // One that is about to be removed.
    if (id.startsWith(".")) continue;
    const { disk, record } = layout.template(id);
    await useDisk(disk, `template ${id}`);
    const read = await readTemplateRecord(record);
    if (read !== undefined)
      await use(layout.layer(read.layer), `template ${id}`);
  }
  for (const id of await layerIds(layout)) {
    const file = await fileKey(layout.layer(id));
    const who = file === undefined ? undefined : disks.get(file);
    if (who !== undefined) uses.set(id, [...(uses.get(id) ?? []), who]);
  }
  return uses;
}

async function belowOf(
  path: string,
  known: Map<string, string | undefined>,
): Promise<string | undefined> {
  if (!known.has(path)) {
    try {
      known.set(path, (await readQcow2Header(path)).backingPath);
    } catch (error) {
      // Gone since it was named: nothing stands on what is not there.
      if (!isMissing(error)) throw error;
      return undefined;
    }
  }
  return known.get(path);
}

/** Ids of layers that nothing stands on. Throws as `layerUses` does. */
export async function unusedLayers(layout: Layout): Promise<string[]> {
  // First the candidates, then the users: a layer that is made meanwhile is no candidate.
  const candidates = await layerIds(layout);
  if (candidates.length === 0) return [];
  const uses = await layerUses(layout);
  return candidates.filter((id) => !uses.has(id));
}

/** Removes layers that nothing stands on and answers with the bytes freed. Throws as `layerUses` does. */
export async function removeUnusedLayers(layout: Layout): Promise<number> {
  let freedBytes = 0;
  for (const id of await unusedLayers(layout)) {
    const path = layout.layer(id);
    freedBytes += await ownBytes(path);
    await rm(path, { force: true });
  }
  return freedBytes;
}

/** Bytes that go when this name goes: none while the file has another. */
export async function ownBytes(path: string): Promise<number> {
  try {
    const { nlink } = await lstat(path);
    return nlink > 1 ? 0 : await allocatedBytes(path);
  } catch (error) {
    if (isMissing(error)) return 0;
    throw error;
  }
}

/** Tells whether two paths name one file; undefined when there is none. */
export async function fileKey(path: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await lstat(path, { bigint: true });
    return `${String(dev)}:${String(ino)}`;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

export const partOf = (path: string): string => `${path}.part`;
