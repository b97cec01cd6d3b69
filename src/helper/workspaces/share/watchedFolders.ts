/*
 * Watches the folders that a guest has looked at. Owns a watch of the system and what the guest was told last for each.
 * Keeps true: the guest is told each change once, behind every answer that was given before it, and not what it did
 * itself; where reports may have been lost, it is told that nothing it knows counts. Called by serveShare.ts.
 */
import { type FSWatcher, watch } from "node:fs";
import type { Attributes, Change, ChangeKind } from "./frames.ts";

/** What `differenceIn` looks at, by place in the attributes. */
const place = { mode: 0, size: 1, inode: 2, mtime: 4, mtimeNs: 5, birth: 11 };

/**
 * What happened to a file by what the guest was last told of it and what it is now; undefined: it knows that. Reading a
 * file, or changing what is in a folder, is no change of it. Pure.
 */
export function differenceIn(
  told: Attributes | undefined,
  now: Attributes | undefined,
): ChangeKind | undefined {
  const differ = (...places: readonly number[]): boolean =>
    places.some((each) => told?.[each] !== now?.[each]);
  if (now === undefined) return told === undefined ? undefined : "d";
  if (told === undefined || differ(place.inode, place.birth)) return "c";
  const isFolder = ((now[place.mode] ?? 0) & 0o170000) === 0o040000;
  if (!isFolder && differ(place.size, place.mtime, place.mtimeNs)) return "m";
  return differ(place.mode) ? "a" : undefined;
}

interface Watched {
  readonly watcher: FSWatcher;
  readonly told: Map<string, Attributes>;
  /** Names that the system reported since they were last looked at. */
  pending: Set<string>;
  timer: NodeJS.Timeout | undefined;
  /** Grows with whatever may have made an answer that is being put together wrong. */
  generation: number;
}

export interface Listed {
  /** 0: can't be watched; 1: is watched, and right; 2: watched, but something changed meanwhile. */
  readonly watched: 0 | 1 | 2;
}

/** One of many changes in a row is told with the others. */
const gatherMs = 15;
/** Each costs the system some kilobytes. */
const maxFolders = 8_192;
/** The system keeps 16,384 reports and drops what comes then, without telling Node. */
const maxReportsAtOnce = 8_000;

export class WatchedFolders {
  readonly #folders = new Map<string, Watched>();
  readonly #stat: (path: string) => Promise<Attributes | undefined>;
  readonly #tell: (changes: readonly Change[]) => void;
  /** Paths that the guest is changing at this moment. */
  readonly #busy = new Map<string, number>();
  #reports = 0;
  #closed = false;

  constructor(
    stat: (path: string) => Promise<Attributes | undefined>,
    tell: (changes: readonly Change[]) => void,
  ) {
    this.#stat = stat;
    this.#tell = tell;
  }

  /** Begins before a listing is read, `system` being the folder's path for the system. */
  begin(path: string, system: string): number {
    const known = this.#folders.get(path);
    // It may be another folder by that name.
    if (known !== undefined) this.#drop(path);
    if (this.#closed || this.#folders.size >= maxFolders) return -1;
    let watcher: FSWatcher;
    try {
      watcher = watch(system, { encoding: "buffer", persistent: false });
    } catch {
      return -1;
    }
    const folder: Watched = {
      watcher,
      told: new Map(),
      pending: new Set(),
      timer: undefined,
      generation: 0,
    };
    this.#folders.set(path, folder);
    watcher.on("change", (_, name) => {
      if (Buffer.isBuffer(name))
        this.#report(path, folder, name.toString("latin1"));
    });
    watcher.on("error", () => this.#lose(path));
    return folder.generation;
  }

  /** Ends what `begin` began: what the listing says counts as told. */
  end(
    path: string,
    begun: number,
    entries: readonly (readonly [string, Attributes])[],
  ): Listed["watched"] {
    const folder = this.#folders.get(path);
    if (begun < 0 || folder === undefined) return 0;
    for (const [name, attributes] of entries)
      if (!folder.told.has(name)) folder.told.set(name, attributes);
    return folder.generation === begun ? 1 : 2;
  }

  /** The guest was told what this file is; undefined: that it is not there. */
  told(path: string, attributes: Attributes | undefined): void {
    const { folder, name } = this.#find(path);
    if (folder === undefined) return;
    if (attributes === undefined) folder.told.delete(name);
    else folder.told.set(name, attributes);
  }

  /** Runs what the guest does to these files; what the system reports of them is looked at afterwards. */
  async while<T>(paths: readonly string[], work: () => Promise<T>): Promise<T> {
    for (const path of paths)
      this.#busy.set(path, (this.#busy.get(path) ?? 0) + 1);
    try {
      return await work();
    } finally {
      for (const path of paths) {
        const left = (this.#busy.get(path) ?? 1) - 1;
        if (left === 0) this.#busy.delete(path);
        else this.#busy.set(path, left);
        const { folder } = this.#find(path);
        if (folder !== undefined) folder.generation += 1;
      }
    }
  }

  /** A folder and those below it are somewhere else, or nowhere. */
  forget(path: string): void {
    for (const each of [...this.#folders.keys()])
      if (each === path || each.startsWith(`${path}/`)) this.#drop(each);
  }

  close(): void {
    this.#closed = true;
    for (const path of [...this.#folders.keys()]) this.#drop(path);
  }

  get size(): number {
    return this.#folders.size;
  }

  #find(path: string): { folder: Watched | undefined; name: string } {
    const end = path.lastIndexOf("/");
    return {
      folder: this.#folders.get(path.slice(0, Math.max(0, end))),
      name: path.slice(end + 1),
    };
  }

  #drop(path: string): void {
    const folder = this.#folders.get(path);
    if (folder === undefined) return;
    this.#folders.delete(path);
    clearTimeout(folder.timer);
    folder.watcher.close();
  }

  #lose(path: string): void {
    this.#drop(path);
    if (!this.#closed) this.#tell([[path, "", "lost", null]]);
  }

  #report(path: string, folder: Watched, name: string): void {
    folder.generation += 1;
    folder.pending.add(name);
    this.#reports += 1;
    if (this.#reports > maxReportsAtOnce) {
      // Some may be lost: nothing that was told counts any more.
      this.#reports = 0;
      for (const each of [...this.#folders.keys()]) this.#lose(each);
      return;
    }
    folder.timer ??= setTimeout(() => void this.#look(path, folder), gatherMs);
  }

  async #look(path: string, folder: Watched): Promise<void> {
    const names = [...folder.pending];
    folder.pending = new Set();
    this.#reports = 0;
    const found = await Promise.all(
      names.map(async (name) => {
        const whole = path === "" ? name : `${path}/${name}`;
        const before = folder.told.get(name);
        const now = await this.#stat(whole);
        return { name, whole, before, now };
      }),
    );
    if (this.#folders.get(path) !== folder) return;
    const changes: Change[] = [];
    for (const { name, whole, before, now } of found) {
      // The guest has changed it meanwhile, or does: what was seen may be of before.
      if (this.#busy.has(whole) || folder.told.get(name) !== before) {
        folder.pending.add(name);
        continue;
      }
      const kind = differenceIn(before, now);
      if (now === undefined) folder.told.delete(name);
      else folder.told.set(name, now);
      if (kind === undefined) continue;
      if (kind === "c" || kind === "d") this.forget(whole);
      changes.push([path, name, kind, now ?? null]);
    }
    folder.timer =
      folder.pending.size === 0
        ? undefined
        : setTimeout(() => void this.#look(path, folder), gatherMs);
    if (changes.length > 0) this.#tell(changes);
  }
}
