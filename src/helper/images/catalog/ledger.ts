/*
 * What the helper remembers of images beside their files: why the last attempt failed, who holds a digest and which are
 * being deleted, the revision that clients have seen. A digest that is held is never dropped by it. All of it may be lost
 * with the helper. The images room makes one; its verbs and the installations of Windows tell it what changed.
 */
import type { Disposer } from "../../../base/disposables.ts";
import {
  type Failure,
  type GuesthouseError,
  refused,
} from "../../../protocol/failure.ts";
import type { Architecture, Image } from "../../../protocol/images.ts";
import type { CatalogEntry } from "./catalog.ts";
import type { WorkingState } from "../jobs/progress.ts";
import { imageRecord } from "./records.ts";
import type { ImageStore, StoredImage } from "../golden/store.ts";

export interface LedgerOptions {
  readonly architecture: Architecture;
  /** The catalog by name, for both architectures. */
  readonly entries: ReadonlyMap<string, CatalogEntry>;
  readonly store: ImageStore;
  readonly workingOn: (name: string) => WorkingState | undefined;
  readonly namesWorkedOn: () => readonly string[];
  readonly usedBy: (digest: string) => readonly string[];
  readonly onChanged: (image: Image) => void;
  readonly onRemoved: (name: string, revision: number) => void;
}

/** What is known of every image, put together from catalog, store, work and machines, and told to clients. */
export interface Ledger {
  readonly names: () => string[];
  readonly known: (name: string) => boolean;
  readonly recordOf: (name: string) => Image;
  readonly storedAs: (name: string) => StoredImage | undefined;
  /** All digests that were ever made under this name and are still here. */
  readonly digestsOf: (name: string) => string[];
  readonly usersOf: (name: string) => string[];
  /** Tells clients the record as it is now, or that there is none any more. */
  readonly tell: (name: string) => void;
  /** Remembers why the last attempt ended badly; undefined forgets it. Answers whether there was something before. */
  readonly setFailure: (name: string, failure: Failure | undefined) => boolean;
  readonly hold: (digest: string) => Disposer;
  readonly isHeld: (digest: string) => boolean;
  /** Marks digests as going away while `work` runs: nobody can hold or resolve them. */
  readonly whileLeaving: <T>(
    digests: readonly string[],
    work: () => Promise<T>,
  ) => Promise<T>;
  readonly isLeaving: (digest: string) => boolean;
  /** Digests that a newer one replaced go when the last machine on them went. */
  readonly dropSuperseded: (name: string) => Promise<void>;
  /** Why a name can't be resolved. */
  readonly missing: (name: string) => GuesthouseError;
}

export function createLedger(options: LedgerOptions): Ledger {
  const { architecture, entries, store, usedBy } = options;
  const failures = new Map<string, Failure>();
  const revisions = createRevisions();
  const uses = createUses();
  const native = [...entries.values()]
    .filter((entry) => entry.architecture === architecture)
    .map(({ name }) => name);

  const names = (): string[] =>
    [
      ...new Set([
        ...native,
        ...store.names().keys(),
        ...options.namesWorkedOn(),
        ...failures.keys(),
      ]),
    ].sort();
  const storedAs = (name: string): StoredImage | undefined => {
    const digest = store.names().get(name);
    return digest === undefined ? undefined : store.images().get(digest);
  };
  const digestsOf = (name: string): string[] =>
    [...store.images().values()]
      .filter(({ record }) => record.name === name)
      .map(({ record }) => record.digest);
  const usersOf = (name: string): string[] =>
    [...new Set(digestsOf(name).flatMap((digest) => usedBy(digest)))].sort();
  const recordOf = (name: string): Image =>
    imageRecord({
      name,
      entry: entries.get(name),
      stored: storedAs(name),
      working: options.workingOn(name),
      failure: failures.get(name),
      usedBy: usersOf(name),
      revision: revisions.of(name),
    });

  return {
    ...uses,
    names,
    storedAs,
    digestsOf,
    usersOf,
    recordOf,
    known: (name) => entries.has(name) || names().includes(name),
    tell: (name) => {
      const revision = revisions.next(name);
      if (names().includes(name)) options.onChanged(recordOf(name));
      else options.onRemoved(name, revision);
    },
    setFailure: (name, failure) => {
      const before = failures.delete(name);
      if (failure !== undefined) failures.set(name, failure);
      return before;
    },
    dropSuperseded: async (name) => {
      for (const digest of digestsOf(name)) {
        const current = store.names().get(name) === digest;
        if (!current && usedBy(digest).length === 0 && !uses.isHeld(digest))
          await store.drop(digest);
      }
    },
    missing: (name) =>
      entries.has(name) ? notHereYet(name) : unknown(name, names()),
  };
}

interface Revisions {
  readonly of: (name: string) => number;
  readonly next: (name: string) => number;
}

/** By the clock where it can, so that revisions grow over restarts too. */
function createRevisions(): Revisions {
  const first = Date.now();
  const revisions = new Map<string, number>();
  let last = first;
  return {
    of: (name) => revisions.get(name) ?? first,
    next: (name) => {
      last = Math.max(last + 1, Date.now());
      revisions.set(name, last);
      return last;
    },
  };
}

/** Who holds a digest, and which are going away; a digest is never both. */
function createUses(): Pick<
  Ledger,
  "hold" | "isHeld" | "whileLeaving" | "isLeaving"
> {
  const held = new Map<string, number>();
  const leaving = new Set<string>();
  return {
    hold: (digest) => {
      if (leaving.has(digest))
        throw refused("images.busy", "The image is just being deleted.", {
          remedy: "Get it again, then try again.",
        });
      held.set(digest, (held.get(digest) ?? 0) + 1);
      let released = false;
      return () => {
        if (released) return;
        released = true;
        const left = (held.get(digest) ?? 1) - 1;
        if (left === 0) held.delete(digest);
        else held.set(digest, left);
      };
    },
    isHeld: (digest) => held.has(digest),
    whileLeaving: async (digests, work) => {
      for (const digest of digests) leaving.add(digest);
      try {
        return await work();
      } finally {
        for (const digest of digests) leaving.delete(digest);
      }
    },
    isLeaving: (digest) => leaving.has(digest),
  };
}

const notHereYet = (name: string): GuesthouseError =>
  refused("images.unknown", `Image ${name} is not on this computer yet.`, {
    remedy: `Get it first (guesthouse image pull ${name}).`,
  });

const unknown = (name: string, names: readonly string[]): GuesthouseError =>
  refused("images.unknown", `There is no image “${name}”.`, {
    remedy: `Choose one of ${names.join(", ")}, or import a disk image file.`,
  });
