import { rm } from "node:fs/promises";
import { beforeEach, expect, test } from "vitest";
import { checkpointFaults } from "../../../src/helper/machines/saved/checkpoints.ts";
import { forkFaults } from "../../../src/helper/machines/saved/offspring.ts";
import { rollBackFaults } from "../../../src/helper/machines/saved/rollBack.ts";
import { suspendFaults } from "../../../src/helper/machines/saved/suspend.ts";
import {
  type LaunchedQemu,
  waitForExit,
} from "../../../src/helper/qemu/process.ts";
import { writeRecord } from "../../../src/helper/store/records.ts";
import {
  counts,
  holds,
  machineId,
  startFrom,
  writeDisk,
} from "./bareMachine.ts";
import { type Answer, type DrivenMachine, drivenMachine } from "./driven.ts";
import { machineRecord } from "./machineRecord.ts";

let it: DrivenMachine;
let living: LaunchedQemu;
beforeEach(async () => {
  it = await drivenMachine();
});

/** Does `verb` with a QEMU that is killed at this step, then lets another helper take over. */
async function withQemuKilledAt(
  fault: string,
  verb: string,
  argument?: string,
): Promise<{ answer: Answer; afterwards: Answer }> {
  const answer = await it.attempt(
    verb,
    argument,
    `${fault}:kill:${String(living.pid)}`,
  );
  expect(await waitForExit(living, 5_000), fault).toBe(true);
  const afterwards = await it.drive("nothing");
  expect(await it.strays(afterwards), fault).toEqual([]);
  if (answer.failure !== undefined) {
    expect(answer.failure, fault).toMatchObject({
      kind: "failed",
      remedy: expect.any(String) as string,
    });
    expect(answer.failure.message, fault).toMatch(/QEMU/);
  }
  return { answer, afterwards };
}

/** A guest that has written this pattern at 1 MiB. */
async function livingWith(pattern: number): Promise<void> {
  living = await it.living();
  await it.withMonitor((qmp) => writeDisk(qmp, pattern, 1));
}

const mine = ({ machines }: Answer): Answer["machines"][number] =>
  machines.find(({ record }) => record.id === machineId)!;

/** Takes the kept state in as the next start does, and ends that QEMU. */
async function resumes(): Promise<void> {
  const { files } = it;
  const again = await startFrom(files, files.state);
  await again.qmp.execute("cont");
  expect(await counts(again.qmp)).toBe(true);
  await again.qmp.execute("quit").catch(() => undefined);
  await waitForExit(again, 5_000);
}

async function beginAnew(): Promise<void> {
  await rm(it.files.handles, { force: true });
  await writeRecord(it.files, machineRecord);
  await it.drive("nothing");
}

test("QEMU killed at any step of a fork: the disk keeps every byte, nothing is left, the next fork works (B15)", async () => {
  const { layout, files } = it;
  for (const fault of forkFaults) {
    await livingWith(1);
    const { answer, afterwards } = await withQemuKilledAt(fault, "fork");
    expect(await holds(files.disk, 1, 1), fault).toBe(true);
    // Once QEMU has sent everything, the fork needs it no more.
    if (answer.failure === undefined)
      expect(
        await holds(layout.machine(answer.result.id).disk, 1, 1),
        fault,
      ).toBe(true);
    for (const { record: one } of afterwards.machines)
      if (one.id !== machineId)
        await rm(layout.machine(one.id).folder, { recursive: true });
    await rm(files.handles, { force: true });
  }
  await livingWith(2);
  const { result } = await it.drive("fork");
  expect(await holds(layout.machine(result.id).disk, 2, 1)).toBe(true);
});

test("QEMU killed at any step of a checkpoint: the disk keeps every byte, and a checkpoint that was promised is whole", async () => {
  const { files } = it;
  for (const [n, fault] of checkpointFaults.entries()) {
    await livingWith(n + 1);
    const { answer, afterwards } = await withQemuKilledAt(
      fault,
      "checkpoint",
      fault,
    );
    expect(mine(afterwards).state, fault).toBe("stopped");
    expect(mine(afterwards).record.lastStop.reason, fault).toBe("crashed");
    expect(await holds(files.disk, n + 1, 1), fault).toBe(true);
    const kept = mine(afterwards).record.checkpoints;
    expect(kept.length, fault).toBe(answer.failure === undefined ? 1 : 0);
    if (answer.failure === undefined) {
      await it.drive("rollBack", answer.result.id);
      await resumes();
      expect(await holds(files.disk, n + 1, 1), fault).toBe(true);
    }
    await beginAnew();
    await livingWith(n + 2);
    await it.drive("checkpoint", "next");
    await it.goesOn(3);
    await it.withMonitor((qmp) => qmp.execute("quit")).catch(() => undefined);
    await waitForExit(living, 5_000);
    await beginAnew();
  }
});

test("QEMU killed at any step of a roll back: wholly back or not at all, and the next one goes to the end", async () => {
  const { files } = it;
  for (const fault of rollBackFaults) {
    await livingWith(1);
    const { result } = await it.drive("checkpoint");
    await it.withMonitor((qmp) => writeDisk(qmp, 2, 1));
    const { answer, afterwards } = await withQemuKilledAt(
      fault,
      "rollBack",
      result.id,
    );
    // Its QEMU is what a roll back ends anyway.
    expect(answer.failure, fault).toBeUndefined();
    expect(mine(afterwards).record.resumeFrom?.kind, fault).toBe("state");
    expect(await holds(files.disk, 1, 1), fault).toBe(true);
    await it.drive("rollBack", result.id);
    await resumes();
    expect(await holds(files.disk, 1, 1), fault).toBe(true);
    await beginAnew();
  }
});

test("QEMU killed while the present is kept before a roll back: nothing of it is lost", async () => {
  const { files } = it;
  for (const fault of checkpointFaults) {
    await livingWith(1);
    const { result } = await it.drive("checkpoint", "first");
    await it.withMonitor((qmp) => writeDisk(qmp, 2, 1));
    const { answer, afterwards } = await withQemuKilledAt(
      fault,
      "rollBackKeeping",
      result.id,
    );
    const { checkpoints, resumeFrom } = mine(afterwards).record;
    if (answer.failure === undefined) {
      expect(checkpoints.length, fault).toBe(2);
      expect(resumeFrom?.kind, fault).toBe("state");
      await it.drive("rollBack", checkpoints[1]!.id);
      expect(await holds(files.disk, 2, 1), fault).toBe(true);
    } else {
      expect(resumeFrom, fault).toBeUndefined();
      expect(await holds(files.disk, 2, 1), fault).toBe(true);
    }
    await beginAnew();
  }
});

test("QEMU killed at any step of a suspension: suspended, or crashed with the disk as it was (B15)", async () => {
  const { files } = it;
  for (const fault of suspendFaults) {
    await livingWith(1);
    const { answer, afterwards } = await withQemuKilledAt(fault, "suspend");
    const { resumeFrom, lastStop } = mine(afterwards).record;
    expect(mine(afterwards).state, fault).toBe("stopped");
    expect(await holds(files.disk, 1, 1), fault).toBe(true);
    if (answer.failure === undefined) {
      expect(resumeFrom?.kind, fault).toBe("state");
      expect(lastStop.reason, fault).toBe("suspended");
    } else {
      expect(resumeFrom, fault).toBeUndefined();
      expect(lastStop.reason, fault).toBe("crashed");
      await livingWith(1);
      await it.drive("suspend");
    }
    await resumes();
    expect(await holds(files.disk, 1, 1), fault).toBe(true);
    await beginAnew();
  }
});
