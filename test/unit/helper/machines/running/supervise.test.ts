import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { silentLog } from "../../../../../src/base/log.ts";
import type { MachineState } from "../../../../../src/protocol/machines.ts";
import type { Entry } from "../../../../../src/helper/machines/roster/entry.ts";
import { supervise } from "../../../../../src/helper/machines/running/supervise.ts";
import { readRecord } from "../../../../../src/helper/store/records.ts";
import { type FakeQemu, fakeQemu } from "../fakeQemu.ts";
import { machineRecord } from "../../../../fakes/machineRecord.ts";
import { house, type House } from "../house.ts";

const running: MachineState = { kind: "running", sinceMs: 1 };
const starting: MachineState = { kind: "starting", stage: "init", sinceMs: 1 };

interface Supervised extends House, FakeQemu {
  readonly entry: Entry;
  readonly resets: number[];
  readonly leave: () => void;
}

async function supervised(state: MachineState = running): Promise<Supervised> {
  const here = await house();
  const { layout, registry } = here;
  const files = layout.machine(machineRecord.id);
  await mkdir(files.folder);
  await writeFile(files.qemuLog, "");
  const entry = registry.add(machineRecord, {
    ...{ kind: "stopped", reason: "requested" },
  });
  const qemu = await fakeQemu(here, entry, state);
  await registry.note(entry, qemu.live, { readySinceMs: 5 });
  const resets: number[] = [];
  let left = false;
  supervise(entry, qemu.live, {
    ...{ layout, registry, log: silentLog },
    leaving: () => left,
    onReset: () => resets.push(1),
  });
  const leave = (): void => void (left = true);
  onTestFinished(async () => {
    await qemu.live.ended;
    leave();
  });
  return { ...here, ...qemu, entry, resets, leave };
}

const enters = (entry: Entry, kind: MachineState["kind"]): Promise<void> =>
  expect.poll(() => entry.state.kind, { timeout: 8_000 }).toBe(kind);

describe("what QEMU says of a guest that runs", () => {
  test("paused and on again, since it was first reached", async () => {
    const { entry, emit } = await supervised();
    emit("STOP");
    await enters(entry, "paused");
    emit("RESUME");
    await enters(entry, "running");
    expect(entry.state).toEqual({ kind: "running", sinceMs: 5 });
  });

  test("stopped while its memory is saved: no news", async () => {
    const { entry, live, emit, told, resets } = await supervised();
    live.capturing = true;
    const before = told.length;
    emit("STOP");
    emit("RESUME");
    emit("RESET", { guest: true });
    await expect.poll(() => resets.length).toBe(1);
    expect(entry.state).toEqual(running);
    expect(told).toHaveLength(before);
  });

  test("stopped for want of room in the midst of its boot, it goes on in its boot", async () => {
    const { entry, emit } = await supervised(starting);
    emit("BLOCK_IO_ERROR", { action: "report" });
    emit("BLOCK_IO_ERROR", { action: "stop" });
    await enters(entry, "paused");
    expect(entry.state).toMatchObject({ failure: { code: "host.diskFull" } });
    emit("RESUME");
    await enters(entry, "starting");
    expect(entry.state).toEqual(starting);
  });

  test("a reset by the host is none of the guest's", async () => {
    const { emit, resets, entry } = await supervised();
    emit("RESET", { guest: false });
    emit("STOP");
    await enters(entry, "paused");
    expect(resets).toEqual([]);
  });
});

describe("the end of QEMU", () => {
  test("that its guest asked for is booked as such, and what was transient is gone", async () => {
    const { entry, emit, end, live, layout, told } = await supervised();
    const files = layout.machine(machineRecord.id);
    await stat(files.handles);
    emit("SHUTDOWN", { guest: true, reason: "guest-shutdown" });
    await expect.poll(() => live.shutdownCause).toBe("guest-shutdown");
    await end();
    await enters(entry, "stopped");
    await live.ended;
    expect(entry.state).toEqual({ kind: "stopped", reason: "guest" });
    expect(entry.live).toBeUndefined();
    expect(live.watch.signal.aborted).toBe(true);
    const read = await readRecord(files);
    expect(read).toMatchObject({ value: { lastStop: { reason: "guest" } } });
    await expect(stat(files.handles)).rejects.toThrow();
    expect(await readFile(files.log, "utf8")).toContain("stopped (guest)");
    expect(told.filter((kind) => kind === "stopped")).toHaveLength(2);
  });

  test("that nobody asked for is a crash, with QEMU's last words", async () => {
    const { entry, end, layout } = await supervised();
    const { qemuLog } = layout.machine(machineRecord.id);
    await writeFile(qemuLog, "qemu: out of luck\n");
    await end();
    await enters(entry, "stopped");
    expect(entry.state).toMatchObject({
      reason: "crashed",
      failure: {
        code: "machines.startFailed",
        message: expect.stringContaining("out of luck") as string,
      },
    });
  });

  test("that was asked for has that reason", async () => {
    const { entry, end, live } = await supervised();
    live.stopReason = "suspended";
    await end();
    await enters(entry, "stopped");
    await live.ended;
    expect(entry.record.lastStop).toEqual({ reason: "suspended" });
  });

  test("B14: means nothing to a helper on its way out", async () => {
    const { entry, end, leave, live, told } = await supervised();
    const before = told.length;
    leave();
    await end();
    await live.qmp?.closed;
    await new Promise((wake) => setTimeout(wake, 200));
    expect(entry.state).toEqual(running);
    expect(entry.live).toBe(live);
    expect(told).toHaveLength(before);
  });
});

test("B39: a monitor that broke under a living QEMU is connected to again", async () => {
  const { entry, hangUp, connections, emit, live } = await supervised();
  hangUp();
  await expect.poll(connections, { timeout: 8_000 }).toBe(2);
  await expect.poll(() => live.qmp !== undefined).toBe(true);
  emit("STOP");
  await enters(entry, "paused");
  expect(entry.live).toBe(live);
});
