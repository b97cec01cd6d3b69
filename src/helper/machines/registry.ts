import { rm } from "node:fs/promises";
import { KeyedMutex } from "../../base/mutex.ts";
import { cancelled, refused } from "../../protocol/failure.ts";
import type { Machine, MachineState } from "../../protocol/machines.ts";
import type { Layout } from "../store/layout.ts";
import {
  type MachineHandles,
  type MachineRecord,
  writeHandles,
  writeRecord,
} from "../store/records.ts";
import type { Entry, Live } from "./entry.ts";
import { removeLeftovers } from "./leftovers.ts";
import { viewOf } from "./view.ts";

export interface RegistryEvents {
  readonly changed: (machine: Machine) => void;
  readonly removed: (id: string, name: string, revision: number) => void;
}

/**
 * Owns what the helper knows of every machine. Every change goes through `update`, which writes what must last,
 * counts the revision and tells the listeners; so a window never shows what is not on disk.
 */
export class MachineRegistry {
  /** One verb at a time per machine id (B19). */
  readonly locks = new KeyedMutex();
  /** Guests have them that are no machines yet. */
  readonly addressesSetAside = new Set<string>();
  /** One write at a time per machine's folder. */
  readonly #files = new KeyedMutex();
  readonly #entries = new Map<string, Entry>();
  readonly #layout: Layout;
  readonly #events: RegistryEvents;
  readonly #waiters = new Set<() => void>();
  readonly #imageDigests = new Map<string, string>();
  /** Starts at the clock, so that a new helper's revisions are above those of the one before. */
  #revision = Date.now();

  constructor(layout: Layout, events: RegistryEvents) {
    this.#layout = layout;
    this.#events = events;
  }

  entries(): Entry[] {
    return [...this.#entries.values()];
  }

  /** By id, name or alias; refuses with `machines.unknown`. */
  find(which: string): Entry {
    const entry =
      this.#entries.get(which) ??
      this.entries().find(
        ({ record }) => record.name === which || record.alias === which,
      );
    if (entry !== undefined) return entry;
    const names = this.entries().map(({ record }) => record.name);
    throw refused("machines.unknown", `There is no machine “${which}”.`, {
      remedy:
        names.length === 0
          ? "Create one first."
          : `These are here: ${names.slice(0, 8).join(", ")}${names.length > 8 ? ", …" : ""}.`,
    });
  }

  takenNames(): Set<string> {
    return new Set(this.entries().map(({ record }) => record.name));
  }

  takenAliases(): Set<string> {
    return new Set(this.entries().map(({ record }) => record.alias));
  }

  takenAddresses(): string[] {
    return [
      ...this.entries().map(({ record }) => record.guestAddress),
      ...this.addressesSetAside,
    ];
  }

  /** Names of the machines that stand on this image. */
  usersOf(digest: string): string[] {
    return this.entries()
      .filter(({ record }) => record.image.digest === digest)
      .map(({ record }) => record.name);
  }

  add(record: MachineRecord, state: MachineState): Entry {
    const entry: Entry = {
      record,
      state,
      live: undefined,
      boot: [],
      revision: ++this.#revision,
    };
    this.#entries.set(record.id, entry);
    this.tell(entry);
    return entry;
  }

  remove(entry: Entry): void {
    this.#entries.delete(entry.record.id);
    const revision = ++this.#revision;
    this.#events.removed(entry.record.id, entry.record.name, revision);
    this.#wake();
  }

  /** Changes the durable record: on disk first, then in memory; one change at a time. */
  rewrite(entry: Entry, change: Partial<MachineRecord>): Promise<void> {
    return this.#files.run(entry.record.id, async () => {
      const record = { ...entry.record, ...change };
      await writeRecord(this.#layout.machine(record.id), record);
      entry.record = record;
      this.tell(entry);
    });
  }

  /**
   * Changes the handles of the running process: in memory at once, on disk after earlier writes. A write that comes
   * after the process's end is dropped, or it would bring the handles of a dead process back.
   */
  async note(
    entry: Entry,
    live: Live,
    change: Partial<MachineHandles>,
  ): Promise<void> {
    live.handles = { ...live.handles, ...change };
    entry.boot = live.handles.boot;
    this.tell(entry);
    await this.#files.run(entry.record.id, async () => {
      if (entry.live !== live) return;
      await writeHandles(this.#layout.machine(entry.record.id), live.handles);
    });
  }

  /** Removes the handles of a living process, which can be rebuilt from the system. */
  dropNote(entry: Entry): Promise<void> {
    return this.#files.run(entry.record.id, () =>
      rm(this.#layout.machine(entry.record.id).handles, { force: true }),
    );
  }

  /** Removes what a dead process left, after every earlier write of its handles. */
  forget(entry: Entry): Promise<void> {
    return this.#files.run(entry.record.id, () =>
      removeLeftovers(this.#layout.machine(entry.record.id)),
    );
  }

  enter(entry: Entry, state: MachineState): void {
    entry.state = state;
    this.tell(entry);
  }

  /** Remembers which digest an image's name means now, to flag machines of an older one (B6). */
  imageChanged(name: string, digest: string | undefined): void {
    if (this.#imageDigests.get(name) === digest) return;
    if (digest === undefined) this.#imageDigests.delete(name);
    else this.#imageDigests.set(name, digest);
    for (const entry of this.entries())
      if (entry.record.image.name === name) this.tell(entry);
  }

  /** Names that mean this image now. */
  imageNames(digest: string): string[] {
    return [...this.#imageDigests]
      .filter(([, current]) => current === digest)
      .map(([name]) => name);
  }

  view(entry: Entry): Machine {
    const current = this.#imageDigests.get(entry.record.image.name);
    const stale =
      current !== undefined && current !== entry.record.image.digest;
    return viewOf(entry, this.#layout.machine(entry.record.id), stale);
  }

  tell(entry: Entry): void {
    if (!this.#entries.has(entry.record.id)) return;
    entry.revision = ++this.#revision;
    this.#events.changed(this.view(entry));
    this.#wake();
  }

  /** Waits until the machine's state satisfies `settled`; the machine is not touched when the signal fires (B9, B14). */
  async until(
    entry: Entry,
    settled: (state: MachineState) => boolean,
    signal: AbortSignal,
  ): Promise<MachineState> {
    for (;;) {
      if (settled(entry.state)) return entry.state;
      await this.#nextChange(signal);
    }
  }

  async #nextChange(signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw cancelled();
    await new Promise<void>((resolve, reject) => {
      const wake = (): void => {
        this.#waiters.delete(wake);
        signal.removeEventListener("abort", abort);
        resolve();
      };
      const abort = (): void => {
        this.#waiters.delete(wake);
        reject(cancelled());
      };
      this.#waiters.add(wake);
      signal.addEventListener("abort", abort, { once: true });
    });
  }

  #wake(): void {
    for (const wake of [...this.#waiters]) wake();
  }
}
