/*
 * Every machine that the helper knows of, and the only place that changes what is known: the records on disk, the
 * states, which QEMU is whose. Each change is written first, then shown in memory, then told with a new revision, so a
 * window never shows what is not on disk. All verbs of the room go through here; clients hear of it by `RegistryEvents`.
 */
import { rm } from "node:fs/promises";
import { KeyedMutex } from "../../../base/mutex.ts";
import { bug, refused } from "../../../protocol/failure.ts";
import type { Machine, MachineState } from "../../../protocol/machines.ts";
import { vmAliasOf } from "../../../protocol/vmAlias.ts";
import type { Layout } from "../../store/layout.ts";
import {
  type MachineHandles,
  type MachineRecord,
  writeHandles,
  writeRecord,
} from "../../store/records.ts";
import { Changes } from "./changes.ts";
import type { Entry, Live } from "./entry.ts";
import { removeLeftovers } from "./leftovers.ts";
import { viewOf } from "./view.ts";

export interface RegistryEvents {
  readonly changed: (machine: Machine) => void;
  readonly removed: (id: string, name: string, revision: number) => void;
}

/** One machine as the registry has it. */
type Own = { -readonly [Key in keyof Entry]: Entry[Key] } & {
  /** It is being made: its record may still change, and is not on disk. */
  draft: boolean;
};

/** What all others get of it: its fields as they are at each look, and no way to set them. */
class Reader implements Entry {
  readonly #own: Own;

  constructor(own: Own) {
    this.#own = own;
  }

  get record(): MachineRecord {
    return this.#own.record;
  }

  get state(): MachineState {
    return this.#own.state;
  }

  get live(): Live | undefined {
    return this.#own.live;
  }

  get boot(): Entry["boot"] {
    return this.#own.boot;
  }

  get revision(): number {
    return this.#own.revision;
  }
}

export class MachineRegistry {
  /** One verb at a time per machine id (B19). */
  readonly locks = new KeyedMutex();
  /** Guests have them that are no machines yet. */
  readonly #addressesSetAside = new Set<string>();
  /** One write at a time per machine's folder. */
  readonly #files = new KeyedMutex();
  readonly #entries = new Map<string, Entry>();
  /** Also of entries that were removed: what still goes on with one ends in silence. */
  readonly #own = new WeakMap<Entry, Own>();
  readonly #layout: Layout;
  readonly #events: RegistryEvents;
  readonly #changes = new Changes();
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
        ({ record }) =>
          record.name === which ||
          record.alias === which ||
          vmAliasOf(record.alias) === which,
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
    return new Set(
      this.entries().flatMap(({ record: { alias } }) => [
        alias,
        vmAliasOf(alias),
      ]),
    );
  }

  takenAddresses(): string[] {
    return [
      ...this.entries().map(({ record }) => record.guestAddress),
      ...this.#addressesSetAside,
    ];
  }

  /** No machine gets this address until it is released. */
  setAddressAside(address: string): void {
    this.#addressesSetAside.add(address);
  }

  releaseAddress(address: string): void {
    this.#addressesSetAside.delete(address);
  }

  /** Names of the machines that stand on this image. */
  usersOf(digest: string): string[] {
    return this.entries()
      .filter(({ record }) => record.image.digest === digest)
      .map(({ record }) => record.name);
  }

  /** A machine whose record lies on disk. */
  add(record: MachineRecord, state: MachineState): Entry {
    return this.#add(record, state, false);
  }

  /** A machine that is being made: it has its name and address from now on, and is not on disk before `commit`. */
  draft(record: MachineRecord, step: CreationStep): Entry {
    return this.#add(record, creating(step), true);
  }

  #add(record: MachineRecord, state: MachineState, draft: boolean): Entry {
    const own: Own = {
      record,
      state,
      live: undefined,
      boot: [],
      revision: ++this.#revision,
      draft,
    };
    const entry = new Reader(own);
    this.#own.set(entry, own);
    this.#entries.set(record.id, entry);
    this.tell(entry);
    return entry;
  }

  /** Changes the record of a machine that is being made; told with its next step. */
  redraft(entry: Entry, change: Partial<MachineRecord>): void {
    const own = this.#owned(entry);
    if (!own.draft)
      throw bug(`The record of “${own.record.name}” is on disk already.`);
    own.record = { ...own.record, ...change };
  }

  /** The next step of making a machine. */
  enterCreation(entry: Entry, step: CreationStep): void {
    this.enter(entry, creating(step));
  }

  /**
   * Writes a record as a whole. By that, one that was being made is there, and a change that an earlier helper decided
   * on is complete. Told with the state that comes next.
   */
  commit(entry: Entry, record: MachineRecord): Promise<void> {
    return this.#files.run(record.id, async () => {
      await writeRecord(this.#layout.machine(record.id), record);
      const own = this.#owned(entry);
      own.record = record;
      own.draft = false;
    });
  }

  /** As `commit`, of a machine that is being taken over and has no entry yet. */
  commitUnlisted(record: MachineRecord): Promise<void> {
    return this.#files.run(record.id, () =>
      writeRecord(this.#layout.machine(record.id), record),
    );
  }

  remove(entry: Entry): void {
    this.#entries.delete(entry.record.id);
    const revision = ++this.#revision;
    this.#events.removed(entry.record.id, entry.record.name, revision);
    this.#changes.tell();
  }

  /** Changes the durable record: on disk first, then in memory; one change at a time. */
  rewrite(entry: Entry, change: Partial<MachineRecord>): Promise<void> {
    return this.#files.run(entry.record.id, async () => {
      const record = { ...entry.record, ...change };
      await writeRecord(this.#layout.machine(record.id), record);
      this.#owned(entry).record = record;
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
    this.#changeHandles(entry, live, change);
    this.tell(entry);
    await this.#files.run(entry.record.id, async () => {
      if (entry.live !== live) return;
      await writeHandles(this.#layout.machine(entry.record.id), live.handles);
    });
  }

  /** A stage of the boot has begun: it shows in the state and is noted. */
  noteStage(
    entry: Entry,
    live: Live,
    reached: Machine["boot"][number],
  ): Promise<void> {
    const own = this.#owned(entry);
    if (own.state.kind === "starting")
      own.state = { ...own.state, stage: reached.stage };
    return this.note(entry, live, { boot: [...live.handles.boot, reached] });
  }

  /** `change` is in memory only, and on disk with the next note. */
  #changeHandles(
    entry: Entry,
    live: Live,
    change: Partial<MachineHandles>,
  ): void {
    const writable: { handles: MachineHandles } = live;
    writable.handles = { ...live.handles, ...change };
    this.#owned(entry).boot = live.handles.boot;
  }

  /** The machine has this QEMU from now on. */
  attach(entry: Entry, live: Live, state: MachineState): void {
    const own = this.#owned(entry);
    own.live = live;
    own.boot = live.handles.boot;
    this.enter(entry, state);
  }

  /** The guest began anew in the QEMU that it has: `boot` is noted with its first stage. */
  bootAgain(entry: Entry, live: Live): void {
    const startedAtMs = Date.now();
    this.#changeHandles(entry, live, {
      startedAtMs,
      readySinceMs: undefined,
      boot: [{ stage: "firmware", atMs: 0 }],
    });
    this.enter(entry, {
      kind: "starting",
      stage: "firmware",
      sinceMs: startedAtMs,
    });
  }

  /** The machine's QEMU has ended. In silence: `booked` says why. */
  detach(entry: Entry): void {
    this.#owned(entry).live = undefined;
  }

  /**
   * The machine is stopped, and why. Where nothing can be written this helper knows it all the same; what kept it from
   * being written is thrown.
   */
  async booked(
    entry: Entry,
    lastStop: MachineRecord["lastStop"],
  ): Promise<void> {
    const own = this.#owned(entry);
    own.state = { kind: "stopped", ...lastStop };
    try {
      await this.rewrite(entry, { lastStop });
    } catch (error) {
      own.record = { ...own.record, lastStop };
      this.tell(entry);
      throw error;
    }
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
    this.#owned(entry).state = state;
    this.tell(entry);
  }

  #owned(entry: Entry): Own {
    const own = this.#own.get(entry);
    if (own === undefined)
      throw bug("An entry that is none of the registry's.");
    return own;
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
    this.#owned(entry).revision = ++this.#revision;
    this.#events.changed(this.view(entry));
    this.#changes.tell();
  }

  /** Waits until the machine's state satisfies `awaited`; the machine is not touched when the signal fires (B9, B14). */
  async until(
    entry: Entry,
    awaited: (state: MachineState) => boolean,
    signal: AbortSignal,
  ): Promise<MachineState> {
    for (;;) {
      if (awaited(entry.state)) return entry.state;
      await this.#changes.next(signal);
    }
  }
}

type CreationStep = (MachineState & { kind: "creating" })["step"];

const creating = (step: CreationStep): MachineState => ({
  kind: "creating",
  step,
  sinceMs: Date.now(),
});
