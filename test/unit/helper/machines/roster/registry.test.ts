import { mkdir, readFile, readdir, rm, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { MachineRegistry } from "../../../../../src/helper/machines/roster/registry.ts";
import type {
  Entry,
  Live,
} from "../../../../../src/helper/machines/roster/entry.ts";
import { layoutOf } from "../../../../../src/helper/store/layout.ts";
import {
  type MachineHandles,
  type MachineRecord,
  readHandles,
  readRecord,
} from "../../../../../src/helper/store/records.ts";
import { scratch } from "../../../../fakes/scratch.ts";
import { machineRecord } from "../../../../fakes/machineRecord.ts";
import { house, type House } from "../house.ts";

const stopped = { kind: "stopped", reason: "requested" } as const;
const running = { kind: "running", sinceMs: 1 } as const;

const handles: MachineHandles = {
  ...{ pid: 1, startTime: "never", startedAtMs: 1, way: "cold" },
  ...{ accelerator: "tcg", acceleratorReason: "", sshPort: 1, forwards: [] },
  leases: 1,
  network: { backend: "user", hostLoopbackReachable: true, reason: "" },
  logOffset: 0,
  boot: [{ stage: "firmware", atMs: 0 }],
};
const live = (): Live => ({
  ...{ handles, qmp: undefined, stopReason: undefined },
  watch: new AbortController(),
  shutdownCause: undefined,
});

async function machineIn({ layout, registry }: House): Promise<Entry> {
  await mkdir(layout.machine(machineRecord.id).folder);
  return registry.add(machineRecord, stopped);
}
const onDisk = async ({
  layout,
}: House): Promise<MachineRecord | undefined> => {
  const read = await readRecord(layout.machine(machineRecord.id));
  return read.kind === "read" ? read.value : undefined;
};

describe("a machine that is being made", () => {
  test("has its name at once, changes in silence, and is on disk by its commit only", async () => {
    const here = await house();
    const { registry, layout, told } = here;
    await mkdir(layout.machine(machineRecord.id).folder);
    const entry = registry.draft(machineRecord, "image");
    expect(registry.takenNames()).toEqual(new Set(["attic"]));
    registry.redraft(entry, { cpus: 7 });
    expect(entry.record.cpus).toBe(7);
    registry.enterCreation(entry, "seed");
    expect(entry.state).toMatchObject({ kind: "creating", step: "seed" });
    expect(told).toEqual(["creating", "creating"]);
    expect(await onDisk(here)).toBeUndefined();

    await registry.commit(entry, { ...entry.record, hostPublicKey: "key" });
    expect(await onDisk(here)).toEqual(entry.record);
    expect(entry.record).toMatchObject({ cpus: 7, hostPublicKey: "key" });
    expect(told).toHaveLength(2);
    expect(() => registry.redraft(entry, { cpus: 1 })).toThrow(/on disk/);
  });

  test("whose record can't be written is none", async () => {
    const here = await house();
    const entry = here.registry.draft(machineRecord, "seed");
    await expect(
      here.registry.commit(entry, { ...machineRecord, cpus: 7 }),
    ).rejects.toThrow();
    expect(entry.record).toEqual(machineRecord);
    here.registry.redraft(entry, { cpus: 2 });
    here.registry.remove(entry);
    expect(here.told).toEqual(["creating", "removed"]);
    expect(here.registry.entries()).toEqual([]);
  });
});

describe("a record that changes", () => {
  test("is on disk before anybody hears of it, and no change is lost", async () => {
    const layout = layoutOf(await scratch());
    const { record: path, folder } = layout.machine(machineRecord.id);
    await mkdir(folder, { recursive: true });
    const revisions: number[] = [];
    const seen: Promise<boolean>[] = [];
    const registry = new MachineRegistry(layout, {
      changed: ({ cpus, memoryMiB, revision }) => {
        revisions.push(revision);
        seen.push(
          readFile(path, "utf8").then(
            (text) => {
              const written = JSON.parse(text) as MachineRecord;
              return written.cpus >= cpus && written.memoryMiB >= memoryMiB;
            },
            () => false,
          ),
        );
      },
      removed: () => undefined,
    });
    const entry = registry.add(machineRecord, stopped);
    await Promise.all([
      registry.rewrite(entry, { cpus: 2 }),
      registry.rewrite(entry, { memoryMiB: 1024 }),
      registry.rewrite(entry, { cpus: 3 }),
    ]);
    expect(entry.record).toMatchObject({ cpus: 3, memoryMiB: 1024 });
    expect(JSON.parse(await readFile(path, "utf8"))).toEqual(entry.record);
    expect(await Promise.all(seen)).toEqual([false, true, true, true]);
    expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
  });

  test("stays what it was where it can't be written", async () => {
    const here = await house();
    const entry = here.registry.add(machineRecord, stopped);
    await expect(here.registry.rewrite(entry, { cpus: 9 })).rejects.toThrow();
    expect(entry.record).toEqual(machineRecord);
    expect(here.told).toEqual(["stopped"]);
  });
});

describe("the end of a process", () => {
  test("books state and reason together, on disk and in memory", async () => {
    const here = await house();
    const entry = await machineIn(here);
    here.registry.attach(entry, live(), running);
    here.registry.detach(entry);
    const booking = here.registry.booked(entry, { reason: "guest" });
    expect(entry.state).toEqual({ kind: "stopped", reason: "guest" });
    await booking;
    expect((await onDisk(here))?.lastStop).toEqual({ reason: "guest" });
    expect(here.told).toEqual(["stopped", "running", "stopped"]);
  });

  test("is known and told where it can't be written, which is thrown", async () => {
    const here = await house();
    const entry = here.registry.add(machineRecord, running);
    const lastStop = { reason: "crashed" } as const;
    await expect(here.registry.booked(entry, lastStop)).rejects.toThrow();
    expect(entry.record.lastStop).toEqual(lastStop);
    expect(here.told).toEqual(["running", "stopped"]);
  });
});

describe("what is noted of a living process", () => {
  test("shows at once and is on disk; a stage shows in the state, too", async () => {
    const here = await house();
    const entry = await machineIn(here);
    const own = live();
    here.registry.attach(entry, own, {
      ...{ kind: "starting", stage: "firmware", sinceMs: 1 },
    });
    expect(here.shown.at(-1)?.runtime?.pid).toBe(1);
    const noted = here.registry.noteStage(entry, own, {
      stage: "kernel",
      atMs: 5,
    });
    expect(here.shown.at(-1)).toMatchObject({
      state: { kind: "starting", stage: "kernel" },
      boot: [{ stage: "firmware" }, { stage: "kernel", atMs: 5 }],
    });
    await noted;
    const read = await readHandles(here.layout.machine(machineRecord.id));
    expect(read).toMatchObject({ value: { boot: own.handles.boot } });
  });

  test("is not written any more once the process has ended: the handles of a dead one stay away", async () => {
    const here = await house();
    const entry = await machineIn(here);
    const files = here.layout.machine(machineRecord.id);
    const own = live();
    here.registry.attach(entry, own, running);
    await here.registry.note(entry, own, { readySinceMs: 2 });
    here.registry.detach(entry);
    const forgetting = here.registry.forget(entry);
    await here.registry.note(entry, own, { readySinceMs: 3 });
    await forgetting;
    await expect(stat(files.handles)).rejects.toThrow();
  });

  test("begins again with a guest that boots again", async () => {
    const here = await house();
    const entry = await machineIn(here);
    const own = live();
    here.registry.attach(entry, own, running);
    await here.registry.note(entry, own, { readySinceMs: 2 });
    here.registry.bootAgain(entry, own);
    expect(own.handles.readySinceMs).toBeUndefined();
    expect(own.handles.startedAtMs).toBeGreaterThan(1);
    expect(here.shown.at(-1)).toMatchObject({
      state: { kind: "starting", stage: "firmware" },
      boot: [{ stage: "firmware", atMs: 0 }],
    });
  });
});

describe("waiting for a state", () => {
  test("answers with the one that was waited for, and ends at once with its signal", async () => {
    const here = await house();
    const entry = await machineIn(here);
    const never = new AbortController();
    const isRunning = ({ kind }: Entry["state"]): boolean => kind === "running";
    const waiting = here.registry.until(entry, isRunning, never.signal);
    here.registry.enter(entry, { kind: "paused", sinceMs: 0 });
    here.registry.enter(entry, running);
    expect(await waiting).toEqual(running);
    const hopeless = here.registry.until(entry, () => false, never.signal);
    never.abort();
    await expect(hopeless).rejects.toMatchObject({
      failure: { kind: "cancelled" },
    });
  });
});

describe("nobody else writes", () => {
  test("what is known of a machine can't be set from outside", async () => {
    const here = await house();
    const entry = await machineIn(here);
    const attempts: (() => void)[] = [
      // @ts-expect-error: read-only
      () => (entry.record = { ...machineRecord, name: "other" }),
      // @ts-expect-error: read-only
      () => (entry.state = running),
      // @ts-expect-error: read-only
      () => (entry.live = live()),
      // @ts-expect-error: read-only
      () => (entry.boot = []),
      // @ts-expect-error: read-only
      () => (entry.revision = 0),
    ];
    for (const attempt of attempts) expect(attempt).toThrow(TypeError);
    expect(entry.record).toEqual(machineRecord);
    expect(entry.state).toEqual(stopped);
    expect(() => here.registry.enter({ ...entry }, running)).toThrow(
      /none of the registry's/,
    );
  });

  test("no other file of the helper writes a record", async () => {
    const root = resolve(import.meta.dirname, "../../../../../src/helper");
    const names = await readdir(root, { recursive: true });
    const writers: string[] = [];
    for (const name of names.filter((each) => each.endsWith(".ts")))
      if (/\bwriteRecord\b/.test(await readFile(join(root, name), "utf8")))
        writers.push(name);
    expect(writers.sort()).toEqual([
      join("machines", "roster", "registry.ts"),
      join("store", "records.ts"),
    ]);
  });

  test("a machine that was removed is told of no more", async () => {
    const here = await house();
    const entry = await machineIn(here);
    here.registry.remove(entry);
    here.registry.enter(entry, running);
    expect(here.told).toEqual(["stopped", "removed"]);
    await rm(here.layout.machine(machineRecord.id).folder, { recursive: true });
  });
});
