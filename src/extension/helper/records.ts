import { createEmitter, type Listener } from "../../base/emitter.ts";

/** What changed at once; both lists may be filled after a fresh list. */
export interface RecordsChange<T> {
  readonly changed: readonly T[];
  readonly removed: readonly T[];
}

/**
 * The records that a tree shows. They change by notices and by the list that opens a connection, by nothing else; a
 * record with a lower revision than the known one is old news.
 */
export interface Records<T> {
  readonly all: () => readonly T[];
  readonly get: (key: string) => T | undefined;
  readonly put: (record: T) => void;
  readonly remove: (key: string, revision: number) => void;
  /** Call before asking for the list, then `finish` with its answer. */
  readonly beginSync: () => { readonly finish: (list: readonly T[]) => void };
  readonly onDidChange: (listener: Listener<RecordsChange<T>>) => () => void;
}

export interface RecordsOptions<T> {
  readonly keyOf: (record: T) => string;
  /** True when a removed key may come back with a revision that starts anew. */
  readonly keysAreReused: boolean;
}

export function createRecords<T extends { readonly revision: number }>({
  keyOf,
  keysAreReused,
}: RecordsOptions<T>): Records<T> {
  const known = new Map<string, T>();
  /** Revision at which a key was removed. */
  const graves = new Map<string, number>();
  /** Turn at which a notice last spoke of a key. */
  const noticedAt = new Map<string, number>();
  let turn = 0;
  const changes = createEmitter<RecordsChange<T>>();

  const put = (record: T): void => {
    const key = keyOf(record);
    const grave = graves.get(key);
    if (!keysAreReused && grave !== undefined && record.revision <= grave)
      return;
    const before = known.get(key);
    if (before !== undefined && record.revision < before.revision) return;
    known.set(key, record);
    noticedAt.set(key, ++turn);
    changes.fire({ changed: [record], removed: [] });
  };

  const remove = (key: string, revision: number): void => {
    const before = known.get(key);
    if (before !== undefined && revision < before.revision) return;
    graves.set(key, revision);
    noticedAt.set(key, ++turn);
    if (before === undefined) return;
    known.delete(key);
    changes.fire({ changed: [], removed: [before] });
  };

  const beginSync = (): { finish: (list: readonly T[]) => void } => {
    const startedAt = turn;
    // The list is put together while notices go on: what a notice said since we asked may be newer than the list.
    const noticedSince = (key: string): boolean =>
      (noticedAt.get(key) ?? 0) > startedAt;
    const finish = (list: readonly T[]): void => {
      const changed: T[] = [];
      const listed = new Set<string>();
      for (const record of list) {
        const key = keyOf(record);
        listed.add(key);
        const before = known.get(key);
        if (noticedSince(key)) {
          if (before === undefined || record.revision <= before.revision)
            continue;
        }
        known.set(key, record);
        graves.delete(key);
        changed.push(record);
      }
      const removed: T[] = [];
      for (const [key, record] of known) {
        if (listed.has(key) || noticedSince(key)) continue;
        known.delete(key);
        removed.push(record);
      }
      changes.fire({ changed, removed });
    };
    return { finish };
  };

  return {
    all: () => [...known.values()],
    get: (key) => known.get(key),
    put,
    remove,
    beginSync,
    onDidChange: changes.on,
  };
}
