import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { execa } from "execa";
import { beforeEach, expect, test } from "vitest";
import { checkpointFaults } from "../../../src/helper/machines/checkpoints.ts";
import { forkFaults } from "../../../src/helper/machines/offspring.ts";
import { rollBackFaults } from "../../../src/helper/machines/rollBack.ts";
import { suspendFaults } from "../../../src/helper/machines/suspend.ts";
import {
  isSameProcess,
  type LaunchedQemu,
  waitForExit,
} from "../../../src/helper/qemu/process.ts";
import { connectQmp } from "../../../src/helper/qemu/qmp.ts";
import {
  layerIds,
  unusedLayers,
} from "../../../src/helper/snapshots/layers.ts";
import type { Layout, MachineFiles } from "../../../src/helper/store/layout.ts";
import {
  type MachineRecord,
  writeHandles,
  writeRecord,
} from "../../../src/helper/store/records.ts";
import { machineRecord as record } from "./machineRecord.ts";
import { scratchFolder } from "../qemu/workbench.ts";
import {
  counts,
  holds,
  home,
  machineId,
  start,
  startFrom,
  status,
  writeDisk,
} from "./bareMachine.ts";

let layout: Layout;
let files: MachineFiles;
let program: string;

beforeEach(async () => {
  ({ layout, files } = await home());
  program = join(await scratchFolder(), "driver.cjs");
  await build({
    entryPoints: [join(import.meta.dirname, "driver.ts")],
    outfile: program,
    bundle: true,
    platform: "node",
    format: "cjs",
    external: ["cpu-features", "*.node"],
    logLevel: "error",
  });
  await writeRecord(files, record);
});

interface Answer {
  readonly result: { id: string };
  readonly machines: { state: string; record: MachineRecord }[];
}

async function drive(verb: string, argument?: string): Promise<Answer> {
  const { stdout } = await execa("node", [
    ...[program, layout.home, verb, machineId],
    ...(argument === undefined ? [] : [argument]),
  ]);
  return JSON.parse(stdout) as Answer;
}

/** Runs a helper that is killed at this step, then one that only takes over. */
async function killedAt(
  fault: string,
  verb: string,
  argument?: string,
): Promise<Answer> {
  const { signal } = await execa(
    "node",
    [
      ...[program, layout.home, verb, machineId],
      ...(argument === undefined ? [] : [argument]),
    ],
    { env: { GUESTHOUSE_FAULT: `${fault}:kill` }, reject: false },
  );
  expect(signal, `${fault} was passed`).toBe("SIGKILL");
  return drive("nothing");
}

/** A living machine as a helper would have left it: with handles on disk and a free monitor. */
async function living(from?: string): Promise<LaunchedQemu> {
  const machine = await (from === undefined
    ? start(files)
    : startFrom(files, from));
  if (from !== undefined) await machine.qmp.execute("cont");
  await writeHandles(files, {
    pid: machine.pid,
    startTime: machine.startTime,
    startedAtMs: Date.now(),
    way: "cold",
    accelerator: "tcg",
    acceleratorReason: "",
    sshPort: 1,
    forwards: [],
    leases: 1,
    network: { backend: "user", hostLoopbackReachable: true, reason: "" },
    logOffset: 0,
    boot: [],
    readySinceMs: Date.now(),
  });
  machine.qmp.close();
  return machine;
}

async function withMonitor<T>(
  work: (qmp: LaunchedQemu["qmp"]) => Promise<T>,
): Promise<T> {
  const qmp = await connectQmp(files.qmpSocket, { timeoutMs: 5_000 });
  try {
    return await work(qmp);
  } finally {
    qmp.close();
  }
}

/** Everything that nobody answers for. */
async function strays(answer: Answer): Promise<string[]> {
  const known = new Set(answer.machines.map((one) => one.record.id));
  const checkpoints = new Set(
    answer.machines.flatMap((one) =>
      one.record.checkpoints.map(({ id }) => id),
    ),
  );
  const found = [
    ...(await readdir(join(layout.home, "machines"))).filter(
      (name) => !known.has(name),
    ),
    ...(await readdir(files.folder)).filter((name) =>
      /\.part$|\.tmp$|next/.test(name),
    ),
    ...(
      await readdir(join(files.folder, "checkpoints")).catch(() => [])
    ).filter((name) => !checkpoints.has(name)),
    ...(await unusedLayers(layout)),
  ];
  const mine = answer.machines.find((one) => one.record.id === machineId)!;
  const hasState = (await readdir(files.folder)).includes("state");
  if (hasState !== (mine.record.resumeFrom !== undefined)) found.push("state");
  return found;
}

async function goesOn(pattern: number): Promise<void> {
  await withMonitor(async (qmp) => {
    expect(await status(qmp)).toBe("running");
    expect(await counts(qmp)).toBe(true);
    await writeDisk(qmp, pattern, pattern % 48);
  });
}

test("a helper killed at any step of a fork: the parent goes on, nothing is left, the next fork works", async () => {
  const machine = await living();
  for (const [n, fault] of forkFaults.entries()) {
    const answer = await killedAt(fault, "fork");
    expect(await strays(answer), fault).toEqual([]);
    expect(answer.machines.length > 1, fault).toBe(fault === "fork.recorded");
    await goesOn(n + 1);
  }
  const { result } = await drive("fork");
  await goesOn(40);
  await withMonitor((qmp) => qmp.execute("quit")).catch(() => undefined);
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

test("a helper killed at any step of a checkpoint: what was not recorded is gone, what was is whole", async () => {
  await living();
  for (const [n, fault] of checkpointFaults.entries()) {
    const answer = await killedAt(fault, "checkpoint", fault);
    expect(await strays(answer), fault).toEqual([]);
    expect(answer.machines[0]!.record.checkpoints.length, fault).toBe(
      fault === "checkpoint.recorded" ? 1 : 0,
    );
    await goesOn(n + 1);
  }
});

test("a helper killed at any step of a roll back: wholly back or not at all", async () => {
  for (const fault of rollBackFaults) {
    await living();
    await withMonitor((qmp) => writeDisk(qmp, 1, 1));
    const { result } = await drive("checkpoint");
    await withMonitor((qmp) => writeDisk(qmp, 2, 1));
    const answer = await killedAt(fault, "rollBack", result.id);
    expect(await strays(answer), fault).toEqual([]);
    const mine = answer.machines[0]!;
    const decided = rollBackFaults.indexOf(fault) >= 2;
    expect(mine.record.rollingBack).toBeUndefined();
    expect(mine.record.resumeFrom?.kind, fault).toBe(
      decided ? "state" : undefined,
    );
    if (fault === "rollBack.overlay") await goesOn(2);
    else expect(mine.state).toBe("stopped");
    expect(await holds(files.disk, decided ? 1 : 2, 1), fault).toBe(true);
    // And again, to the end.
    await drive("rollBack", result.id);
    const again = await startFrom(files, files.state);
    await again.qmp.execute("cont");
    expect(await counts(again.qmp)).toBe(true);
    await again.qmp.execute("quit").catch(() => undefined);
    await waitForExit(again, 5_000);
    expect(await holds(files.disk, 1, 1)).toBe(true);
    await writeRecord(files, record);
    await drive("nothing");
  }
});

test("a helper killed at any step of a suspension: the guest goes on, or is suspended", async () => {
  for (const fault of suspendFaults) {
    const machine = await living();
    const answer = await killedAt(fault, "suspend");
    expect(await strays(answer), fault).toEqual([]);
    const mine = answer.machines[0]!;
    if (!/recorded|ended/.test(fault)) {
      await goesOn(1);
      await drive("suspend");
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
    await drive("nothing");
  }
});

test("QEMU killed at any step of a fork: the disk keeps every byte and nothing is left", async () => {
  for (const fault of forkFaults) {
    const machine = await living();
    await withMonitor((qmp) => writeDisk(qmp, 1, 1));
    const { stdout } = await execa(
      "node",
      [program, layout.home, "fork", machineId],
      {
        env: { GUESTHOUSE_FAULT: `${fault}:kill:${String(machine.pid)}` },
        reject: false,
      },
    );
    await waitForExit(machine, 5_000);
    const answer = await drive("nothing");
    expect(await strays(answer), fault).toEqual([]);
    expect(await holds(files.disk, 1, 1), fault).toBe(true);
    const forked = JSON.parse(stdout) as Partial<Answer> & {
      failure?: { kind: string };
    };
    // Once QEMU has sent everything, the fork needs it no more.
    if (forked.failure === undefined)
      expect(
        await holds(layout.machine(forked.result!.id).disk, 1, 1),
        fault,
      ).toBe(true);
    else expect(forked.failure.kind, `${fault}: ${stdout}`).toBe("failed");
    for (const { record: one } of answer.machines)
      if (one.id !== machineId)
        await rm(layout.machine(one.id).folder, { recursive: true });
    await rm(files.handles, { force: true });
  }
});

test("a parent can be deleted: children and branches keep what they need, the rest goes", async () => {
  const machine = await living();
  await withMonitor((qmp) => writeDisk(qmp, 1, 1));
  const { result: checkpoint } = await drive("checkpoint", "first");
  await withMonitor((qmp) => writeDisk(qmp, 2, 2));
  const { result: unwanted } = await drive("checkpoint", "second");
  const { result: branch } = await drive("branch", "first");
  await withMonitor((qmp) => writeDisk(qmp, 3, 3));
  const { result: fork } = await drive("fork");
  expect(await drive("forget", unwanted.id)).toMatchObject({
    result: expect.any(Number) as number,
  });
  const { machines } = await drive("delete");
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
