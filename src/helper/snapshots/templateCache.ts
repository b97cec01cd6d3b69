/*
 * Warm templates that several data folders share (`GUESTHOUSE_TEMPLATE_CACHE`), for tests and development: making one
 * costs a boot, taking one in some tenths of a second. An entry's key covers everything that a clone must share with
 * its template, so a stale one is never found; one that is damaged or cut off is passed over. The
 * layer is copied, as it names the image's disk by its path, and so is the device state; the memory, which clones only
 * read, gets a second name where the file system allows it.
 */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import {
  copyFile,
  link,
  readdir,
  rename,
  rm,
  stat,
  utimes,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import * as z from "zod";
import { isMissing, makePrivateFolder } from "../../base/files.ts";
import { readJson, writeJson } from "../../base/jsonFile.ts";
import type { Log } from "../../base/log.ts";
import { createOverlay, moveBackingFile } from "../qemu/block.ts";
import type { Layout } from "../store/layout.ts";
import { newLayerId } from "./layers.ts";
import {
  emptyOverlay,
  type TemplateRecord,
  templateRecordSchema,
} from "./templates.ts";

const entrySchema = z.object({
  version: z.literal(1),
  template: templateRecordSchema,
  /** Bytes of each file, by which one that was cut off is known. */
  sizes: z.record(z.string(), z.number()),
});

/** More than tests make in one run; the ones used longest ago go. */
const mostEntries = 6;

export interface TemplateCache {
  /** Puts an entry where a template that was made here would lie. Undefined when there is none that can be used. */
  readonly fetch: (
    key: string,
    as: Here,
    signal: AbortSignal,
  ) => Promise<TemplateRecord | undefined>;
  /** Keeps one that was made and not changed since. Failing to is no reason to fail anything. */
  readonly keep: (key: string, record: TemplateRecord) => Promise<void>;
}

/** What an entry becomes in a data folder. */
interface Here {
  readonly id: string;
  readonly imageDisk: string;
}

const noCache: TemplateCache = {
  fetch: () => Promise.resolve(undefined),
  keep: () => Promise.resolve(),
};

export function openTemplateCache(
  folder: string | undefined,
  layout: Layout,
  log: Log,
): TemplateCache {
  if (folder === undefined || folder === "") return noCache;
  return {
    async fetch(key, here, signal) {
      try {
        return await fetchEntry(join(folder, key), here, layout, signal);
      } catch (error) {
        const { folder: unfinished } = layout.template(here.id);
        await rm(unfinished, { recursive: true, force: true });
        signal.throwIfAborted();
        log.warn("cached template can't be used", { key, error });
        return undefined;
      }
    },
    async keep(key, record) {
      // Windows has a TPM and a card of its own in it: such a template stays where it was made.
      if (record.card !== undefined) return;
      const temporary = join(
        folder,
        `.${key}.${randomBytes(4).toString("hex")}`,
      );
      try {
        await keepEntry(temporary, record, layout);
        await rm(join(folder, key), { recursive: true, force: true });
        await rename(temporary, join(folder, key));
        await removeOldest(folder);
      } catch (error) {
        log.warn("template not kept in the cache", { error });
      } finally {
        await rm(temporary, { recursive: true, force: true });
      }
    },
  };
}

async function fetchEntry(
  entry: string,
  { id, imageDisk }: Here,
  layout: Layout,
  signal: AbortSignal,
): Promise<TemplateRecord | undefined> {
  const read = await readJson(join(entry, "entry.json"), (value) =>
    entrySchema.parse(value),
  );
  if (read.kind === "missing") return undefined;
  if (read.kind === "corrupt") throw new Error(read.reason);
  const { template, sizes } = read.value;
  for (const [name, size] of Object.entries(sizes))
    if ((await stat(join(entry, name))).size !== size)
      throw new Error(`${name} is not as it was kept`);
  const files = layout.template(id);
  const layer = newLayerId();
  const layerPath = layout.layer(layer);
  await rm(files.folder, { recursive: true, force: true });
  await makePrivateFolder(files.folder);
  await makePrivateFolder(dirname(layerPath));
  try {
    await linkOrCopy(join(entry, "memory"), files.memory);
    await copy(join(entry, "state"), files.state);
    await copy(join(entry, "layer.qcow2"), layerPath);
    await moveBackingFile(layerPath, imageDisk, signal);
    const path = emptyOverlay(files);
    await createOverlay({ path, backingPath: layerPath }, signal);
  } catch (error) {
    await rm(layerPath, { force: true });
    throw error;
  }
  const now = new Date();
  // How long ago it was used decides what goes; whoever can't write there only reads.
  await utimes(entry, now, now).catch(() => undefined);
  return { ...template, id, layer, lastUsedAt: now.toISOString() };
}

async function keepEntry(
  temporary: string,
  record: TemplateRecord,
  layout: Layout,
): Promise<void> {
  const files = layout.template(record.id);
  await makePrivateFolder(temporary);
  await linkOrCopy(files.memory, join(temporary, "memory"));
  await copy(files.state, join(temporary, "state"));
  await copy(layout.layer(record.layer), join(temporary, "layer.qcow2"));
  const sizes: Record<string, number> = {};
  for (const name of await readdir(temporary))
    sizes[name] = (await stat(join(temporary, name))).size;
  await writeJson(join(temporary, "entry.json"), {
    version: 1,
    template: record,
    sizes,
  } satisfies z.infer<typeof entrySchema>);
}

async function removeOldest(folder: string): Promise<void> {
  const entries = await Promise.all(
    (await readdir(folder))
      .filter((name) => !name.startsWith("."))
      .map(async (name) => {
        const path = join(folder, name);
        // Another helper may have removed it meanwhile.
        const used = await stat(path).catch((error: unknown) => {
          if (!isMissing(error)) throw error;
        });
        return { path, usedMs: used?.mtimeMs ?? 0 };
      }),
  );
  const byUse = entries.sort((a, b) => b.usedMs - a.usedMs);
  for (const { path } of byUse.slice(mostEntries))
    await rm(path, { recursive: true, force: true });
}

const copy = (from: string, to: string): Promise<void> =>
  copyFile(from, to, constants.COPYFILE_FICLONE);

const linkOrCopy = (from: string, to: string): Promise<void> =>
  link(from, to).catch(() => copy(from, to));
