import { beforeEach, expect, test } from "vitest";
import { checkpointFaults } from "../../../src/helper/machines/saved/checkpoints.ts";
import { forkFaults } from "../../../src/helper/machines/saved/offspring.ts";
import { rollBackFaults } from "../../../src/helper/machines/saved/rollBack.ts";
import { suspendFaults } from "../../../src/helper/machines/saved/suspend.ts";
import {
  isSameProcess,
  waitForExit,
} from "../../../src/helper/qemu/process.ts";
import {
  layerIds,
  unusedLayers,
} from "../../../src/helper/snapshots/layers.ts";
import { writeRecord } from "../../../src/helper/store/records.ts";
import {
  counts,
  holds,
  machineId,
  startFrom,
  writeDisk,
} from "./bareMachine.ts";
import { type DrivenMachine, drivenMachine } from "./driven.ts";
import { machineRecord as record } from "./machineRecord.ts";

let it: DrivenMachine;
beforeEach(async () => {
  it = await drivenMachine();
});

test("a helper killed at any step of a fork: the parent goes on, nothing is left, the next fork works (B14, B15)", async () => {
  const { layout, files } = it;
  const machine = await it.living();
  for (const [n, fault] of forkFaults.entries()) {
    const answer = await it.killedAt(fault, "fork");
    expect(await it.strays(answer), fault).toEqual([]);
    expect(answer.machines.length > 1, fault).toBe(fault === "fork.recorded");
    await it.goesOn(n + 1);
  }
  const { result } = await it.drive("fork");
  await it.goesOn(40);
  await it.withMonitor((qmp) => qmp.execute("quit")).catch(() => undefined);
  await waitForExit(machine, 5_000);
  const child = layout.machine(result.id);
  for (const n of forkFaults.keys()) {
    expect(await holds(files.disk, n + 1, n + 1)).toBe(true);
    expect(await holds(child.disk, n + 1, n + 1)).toBe(true);
  }
  const second = await startFrom(child, child.state);
  await second.qmp.execute("cont");
  expect(await counts(second.qmp)).toBe(true);
});

test("a helper killed at any step of a checkpoint: what was not recorded is gone, what was is whole (B14, B15)", async () => {
  await it.living();
  for (const [n, fault] of checkpointFaults.entries()) {
    const answer = await it.killedAt(fault, "checkpoint", fault);
    expect(await it.strays(answer), fault).toEqual([]);
    expect(answer.machines[0]!.record.checkpoints.length, fault).toBe(
      fault === "checkpoint.recorded" ? 1 : 0,
    );
    await it.goesOn(n + 1);
  }
});

test("a helper killed at any step of a roll back: wholly back or not at all (B15)", async () => {
  const { files } = it;
  for (const fault of rollBackFaults) {
    await it.living();
    await it.withMonitor((qmp) => writeDisk(qmp, 1, 1));
    const { result } = await it.drive("checkpoint");
    await it.withMonitor((qmp) => writeDisk(qmp, 2, 1));
    const answer = await it.killedAt(fault, "rollBack", result.id);
    expect(await it.strays(answer), fault).toEqual([]);
    const mine = answer.machines[0]!;
    const decided = rollBackFaults.indexOf(fault) >= 1;
    expect(mine.record.rollingBack).toBeUndefined();
    expect(mine.record.resumeFrom?.kind, fault).toBe(
      decided ? "state" : undefined,
    );
    if (fault === "rollBack.overlay") await it.goesOn(2);
    else expect(mine.state).toBe("stopped");
    expect(await holds(files.disk, decided ? 1 : 2, 1), fault).toBe(true);
    // And again, to the end.
    await it.drive("rollBack", result.id);
    const again = await startFrom(files, files.state);
    await again.qmp.execute("cont");
    expect(await counts(again.qmp)).toBe(true);
    await again.qmp.execute("quit").catch(() => undefined);
    await waitForExit(again, 5_000);
    expect(await holds(files.disk, 1, 1)).toBe(true);
    await writeRecord(files, record);
    await it.drive("nothing");
  }
});

test("a helper killed at any step of a suspension: the guest goes on, or is suspended (B14, B15)", async () => {
  const { files } = it;
  for (const fault of suspendFaults) {
    const machine = await it.living();
    const answer = await it.killedAt(fault, "suspend");
    expect(await it.strays(answer), fault).toEqual([]);
    const mine = answer.machines[0]!;
    if (!/recorded|ended/.test(fault)) {
      await it.goesOn(1);
      await it.drive("suspend");
    } else {
      expect(mine.state, fault).toBe("stopped");
      expect(mine.record.lastStop.reason).toBe("suspended");
      expect(mine.record.resumeFrom?.kind).toBe("state");
    }
    expect(await isSameProcess(machine)).toBe(false);
    const again = await startFrom(files, files.state);
    await again.qmp.execute("cont");
    expect(await counts(again.qmp)).toBe(true);
    await again.qmp.execute("quit").catch(() => undefined);
    await waitForExit(again, 5_000);
    await writeRecord(files, record);
    await it.drive("nothing");
  }
});

test("a parent can be deleted: children and branches keep what they need, the rest goes", async () => {
  const { layout } = it;
  const machine = await it.living();
  await it.withMonitor((qmp) => writeDisk(qmp, 1, 1));
  const { result: checkpoint } = await it.drive("checkpoint", "first");
  await it.withMonitor((qmp) => writeDisk(qmp, 2, 2));
  const { result: unwanted } = await it.drive("checkpoint", "second");
  const { result: branch } = await it.drive("branch", "first");
  await it.withMonitor((qmp) => writeDisk(qmp, 3, 3));
  const { result: fork } = await it.drive("fork");
  expect(await it.drive("forget", unwanted.id)).toMatchObject({
    result: expect.any(Number) as number,
  });
  const { machines } = await it.drive("delete");
  expect(await isSameProcess(machine)).toBe(false);
  expect(machines.map((one) => one.record.parent)).toEqual(
    expect.arrayContaining([
      { id: machineId, name: "attic" },
      { id: machineId, name: "attic", checkpoint: checkpoint.id },
    ]),
  );
  expect(await unusedLayers(layout)).toEqual([]);
  const forked = layout.machine(fork.id);
  expect(await holds(forked.disk, 1, 1)).toBe(true);
  expect(await holds(forked.disk, 3, 3)).toBe(true);
  const branched = layout.machine(branch.id);
  expect(await holds(branched.disk, 1, 1)).toBe(true);
  expect(await holds(branched.disk, 0, 2)).toBe(true);
  for (const files of [forked, branched]) {
    const child = await startFrom(files, files.state);
    await child.qmp.execute("cont");
    expect(await counts(child.qmp)).toBe(true);
  }
  expect((await layerIds(layout)).length).toBe(3);
});
