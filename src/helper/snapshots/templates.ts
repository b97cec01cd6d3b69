/*
 * The store of warm templates: what is on disk, what is being made or failed, and how many clones of each wait. A template
 * counts once its record is written, and is removed whole, also when room runs out. Each change is told by its events.
 * Called by those who make, use and list templates.
 */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { given } from "../../base/given.ts";
import {
  allocatedBytes,
  isMissing,
  makePrivateFolder,
  sweepTemporary,
} from "../../base/files.ts";
import { readJson, writeJson } from "../../base/jsonFile.ts";
import type { Log } from "../../base/log.ts";
import { type Failure, refused } from "../../protocol/failure.ts";
import { type Template, templateSchema } from "../../protocol/templates.ts";
import type { Layout, TemplateFiles } from "../store/layout.ts";
import { removeFolder, sweepDoomed } from "../store/records.ts";

/** A template as it lies on the disk; written last, so that it is there whole or not at all. */
export const templateRecordSchema = templateSchema
  .omit({ state: true, revision: true, pool: true })
  .extend({
    format: z.literal(1),
    /** The frozen disk: its clones stand on it, also when the template itself is gone. */
    layer: z.string(),
    /** What it was saved with: a state of the user network loads nowhere else, one of passt everywhere. */
    network: z.enum(["user", "passt"]).default("user"),
    /** Of Windows, whose clones keep the card and the address that are in its memory. */
    card: z
      .object({ macAddress: z.string(), guestAddress: z.string() })
      .optional(),
  });
export type TemplateRecord = z.infer<typeof templateRecordSchema>;

/** Undefined where there is none, or none that can be read: templates can be made again. */
export async function readTemplateRecord(
  path: string,
): Promise<TemplateRecord | undefined> {
  const read = await readJson(path, (value) =>
    templateRecordSchema.parse(value),
  );
  return read.kind === "read" ? read.value : undefined;
}

export interface TemplateEvents {
  readonly changed: (template: Template) => void;
  readonly removed: (id: string, revision: number) => void;
}

/** Templates together take no more than this of the host's disk, unless told otherwise. */
export const defaultLimitBytes = 8 * 1024 ** 3;

export class Templates {
  readonly #layout: Layout;
  readonly #events: TemplateEvents;
  readonly #log: Log;
  readonly #ready = new Map<string, TemplateRecord>();
  readonly #others = new Map<string, Template>();
  readonly #pools = new Map<string, NonNullable<Template["pool"]>>();
  /** Starts at the clock, so that a new helper's revisions are above those of the one before. */
  #revision = Date.now();

  constructor(layout: Layout, events: TemplateEvents, log: Log) {
    this.#layout = layout;
    this.#events = events;
    this.#log = log;
  }

  /** Reads what is there and removes what was never finished. Once, before anything else. */
  async load(): Promise<void> {
    const { templates } = this.#layout;
    await makePrivateFolder(templates);
    await makePrivateFolder(this.#layout.layers);
    await sweepDoomed(templates);
    for (const id of await readdir(templates)) {
      const files = this.#layout.template(id);
      const record = await readTemplateRecord(files.record);
      if (record !== undefined) {
        await sweepTemporary(files.folder);
        this.#ready.set(id, record);
      } else {
        this.#log.info("removing an unusable template", { template: id });
        await removeFolder(files.folder);
      }
    }
  }

  list(): Template[] {
    return [
      ...[...this.#ready.values()].map((record) => this.#view(record)),
      ...this.#others.values(),
    ];
  }

  /** Those that clones can resume from, the last used one first. */
  ready(): TemplateRecord[] {
    return [...this.#ready.values()].sort((a, b) =>
      b.lastUsedAt.localeCompare(a.lastUsedAt),
    );
  }

  /** Notes how many clones of it wait in the pool; tells only what is news. */
  pooled(id: string, pool: Template["pool"]): void {
    const before = this.#pools.get(id);
    if (pool === undefined) this.#pools.delete(id);
    else this.#pools.set(id, pool);
    const record = this.#ready.get(id);
    if (
      record !== undefined &&
      (before?.ready !== pool?.ready || before?.wanted !== pool?.wanted)
    )
      this.#events.changed(this.#view(record));
  }

  find(id: string): TemplateRecord | undefined {
    return this.#ready.get(id);
  }

  /** As clients see it; refuses with `templates.unknown`. */
  show(id: string): Template {
    const record = this.#ready.get(id);
    const other = this.#others.get(id);
    if (record !== undefined) return this.#view(record);
    if (other !== undefined) return other;
    throw refused("templates.unknown", `There is no template “${id}”.`, {
      remedy: "List the templates to see what is there.",
    });
  }

  files(id: string): TemplateFiles {
    return this.#layout.template(id);
  }

  /** Shows one that is being made. */
  working(template: Omit<Template, "revision">): void {
    const whole = { ...template, revision: ++this.#revision };
    this.#others.set(template.id, whole);
    this.#events.changed(whole);
  }

  failed(
    template: Omit<Template, "revision" | "state">,
    failure: Failure,
  ): void {
    this.working({ ...template, state: { kind: "failed", failure } });
  }

  /** Makes a finished one known, then makes room for it if need be. */
  async commit(
    record: TemplateRecord,
    limitBytes = defaultLimitBytes,
  ): Promise<void> {
    const files = this.files(record.id);
    try {
      await writeJson(files.record, record);
    } catch (error) {
      // Without its record it is nothing, on a full disk least of all.
      await removeFolder(files.folder);
      await rm(this.#layout.layer(record.layer), { force: true });
      throw error;
    }
    await rm(files.disk, { force: true });
    this.#others.delete(record.id);
    this.#ready.set(record.id, record);
    this.#events.changed(this.#view(record));
    for (const id of leastRecentlyUsed([...this.#ready.values()], limitBytes))
      if (id !== record.id) await this.remove(id);
  }

  /** Remembers that a clone was made of it just now. Losing this note costs nothing, so nobody waits for it. */
  used(id: string): void {
    const record = this.#ready.get(id);
    if (record === undefined) return;
    const touched = { ...record, lastUsedAt: new Date().toISOString() };
    this.#ready.set(id, touched);
    this.#events.changed(this.#view(touched));
    writeJson(this.files(id).record, touched).catch((error: unknown) =>
      this.#log.warn("a template's use could not be noted", { error }),
    );
  }

  /** Forgets a template and frees its memory and state; its disk layer stays while machines stand on it. */
  async remove(id: string): Promise<number> {
    this.show(id);
    this.#ready.delete(id);
    this.#others.delete(id);
    const { folder } = this.files(id);
    const freed = await folderBytes(folder);
    await removeFolder(folder).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
    this.#events.removed(id, ++this.#revision);
    return freed;
  }

  /** Templates of images that are no longer there. */
  async keepOnly(isHere: (digest: string) => boolean): Promise<void> {
    for (const { id, image } of [...this.#ready.values()])
      if (!isHere(image.digest)) await this.remove(id);
  }

  #view(record: TemplateRecord): Template {
    const { id, image, shape, sizeBytes, createdAt, lastUsedAt } = record;
    const pool = this.#pools.get(id);
    return {
      ...{ id, image, shape, sizeBytes, createdAt, lastUsedAt },
      state: { kind: "ready" },
      revision: ++this.#revision,
      ...given({ pool }),
    };
  }
}

/** Which ones have to go, oldest use first, for the rest to fit. Pure. */
export function leastRecentlyUsed(
  records: readonly Pick<TemplateRecord, "id" | "sizeBytes" | "lastUsedAt">[],
  limitBytes: number,
): string[] {
  let total = records.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const gone: string[] = [];
  const byUse = [...records].sort((a, b) =>
    a.lastUsedAt.localeCompare(b.lastUsedAt),
  );
  for (const { id, sizeBytes } of byUse) {
    if (total <= limitBytes) break;
    gone.push(id);
    total -= sizeBytes;
  }
  return gone;
}

/** What the files of a folder really take on the disk. */
export async function folderBytes(folder: string): Promise<number> {
  let sum = 0;
  for (const name of await readdir(folder).catch(() => []))
    sum += await allocatedBytes(join(folder, name));
  return sum;
}

/** A prebuilt empty overlay on the template's layer: copying it is faster than having one made. */
export const emptyOverlay = (files: TemplateFiles): string =>
  join(files.folder, "overlay.qcow2");
