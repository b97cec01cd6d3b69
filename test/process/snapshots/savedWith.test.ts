import { readdir, stat, writeFile } from "node:fs/promises";
import { beforeEach, expect, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { toFailure } from "../../../src/protocol/failure.ts";
import { makeHandoffFifos } from "../../../src/helper/guests/handoff/port.ts";
import type { GoldenImage } from "../../../src/helper/images/golden/goldenImage.ts";
import type { Environment } from "../../../src/helper/machines/boot/environment.ts";
import { launchMachine } from "../../../src/helper/machines/boot/launch.ts";
import { savedWithOf } from "../../../src/helper/machines/boot/savedWith.ts";
import { specOf } from "../../../src/helper/machines/boot/spec.ts";
import { qemuArguments } from "../../../src/helper/qemu/commandLine.ts";
import {
  findQemu,
  launchQemu,
  waitForExit,
} from "../../../src/helper/qemu/process.ts";
import { captureForGood } from "../../../src/helper/snapshots/capture.ts";
import type { Layout, MachineFiles } from "../../../src/helper/store/layout.ts";
import {
  readRecord,
  type SavedWith,
  writeRecord,
} from "../../../src/helper/store/records.ts";
import { userNetwork } from "../../fakes/qemuSpec.ts";
import { bareImage, emulation } from "../machines/bareImage.ts";
import { owned } from "../qemu/workbench.ts";
import { counts, holds, home, writeDisk } from "./bareMachine.ts";
import { drivenMachine } from "./driven.ts";
import { machineRecord } from "./machineRecord.ts";

let layout: Layout;
let files: MachineFiles;
let environment: Environment;
let image: GoldenImage;

beforeEach(async () => {
  ({ layout, files } = await home());
  environment = await emulation();
  image = await bareImage(layout);
  await writeFile(files.seed, Buffer.alloc(1024 * 1024));
});

/** A machine that was suspended as one of this type. */
async function suspendedAs(machineType: string): Promise<SavedWith> {
  await makeHandoffFifos(files.handoff);
  const launched = owned(
    await launchQemu({
      binary: environment.binary,
      args: qemuArguments({
        ...(await specOf(machineRecord, image, environment, files)),
        network: userNetwork([]),
        machineType,
      }),
      logPath: files.qemuLog,
      cwd: files.folder,
      qmpSocket: files.qmpSocket,
    }),
  );
  expect(await counts(launched.qmp)).toBe(true);
  const savedWith = await savedWithOf(launched.qmp, { accelerator: "tcg" });
  await captureForGood(
    { qmp: launched.qmp, layout, files, statePath: files.state },
    new AbortController().signal,
  );
  await launched.qmp.execute("quit").catch(() => undefined);
  await waitForExit(launched, 5_000);
  return savedWith;
}

const start = (
  savedWith: SavedWith | undefined,
): ReturnType<typeof launchMachine> =>
  launchMachine(
    {
      ...{ record: machineRecord, image, environment },
      from: {
        kind: "state",
        path: files.state,
        way: "restored",
        leases: 1,
        savedWith,
      },
    },
    { layout, log: silentLog },
  );

test("a state of an older machine type goes on: QEMU plays that type still", async () => {
  const savedWith = await suspendedAs("pc-q35-7.1");
  const { version } = environment.qemu;
  expect(savedWith).toEqual({
    qemu: `${String(version.major)}.${String(version.minor)}.${String(version.micro)}`,
    machineType: "pc-q35-7.1",
    accelerator: "tcg",
  });
  const live = await start(savedWith);
  owned(live.handles);
  expect(await savedWithOf(live.qmp!, live.handles)).toEqual(savedWith);
  await live.qmp!.execute("cont");
  expect(await counts(live.qmp!)).toBe(true);
  live.qmp!.close();
});

test("a state that the installed QEMU can't take is refused with a remedy, and stays", async () => {
  const savedWith = await suspendedAs("pc-q35-7.1");
  const before = await readdir(files.folder);
  const { size } = await stat(files.state);
  for (const [changed, told] of [
    [
      { ...savedWith, qemu: "99.1.0", machineType: "pc-q35-99.1" },
      /saved by QEMU 99\.1\.0 as a pc-q35-99\.1, which QEMU \d+\.\d+ of this host does not know/,
    ],
    [
      { ...savedWith, accelerator: "kvm" },
      /saved under kvm, and this host runs machines with tcg now/,
    ],
  ] as const) {
    const error: unknown = await start(changed).catch(
      (thrown: unknown) => thrown,
    );
    const failure = toFailure(error);
    expect(failure).toMatchObject({
      kind: "refused",
      code: "machines.captureFailed",
    });
    expect(failure.message).toMatch(told);
    expect(failure.remedy).toContain("guesthouse start --cold attic");
    expect(await readdir(files.folder)).toEqual(before);
    expect((await stat(files.state)).size).toBe(size);
  }
});

test("a state of unknown origin that QEMU refuses: said in our words, no QEMU is left, and the state stays", async () => {
  const savedWith = await suspendedAs("pc-q35-7.1");
  const error: unknown = await start(undefined).catch(
    (thrown: unknown) => thrown,
  );
  expect(toFailure(error)).toMatchObject({
    kind: "failed",
    code: "machines.captureFailed",
    remedy: expect.stringContaining("guesthouse start --cold") as string,
  });
  expect(await findQemu(files.qmpSocket)).toEqual([]);
  const live = await start(savedWith);
  owned(live.handles);
  live.qmp!.close();
});

test("a roll back to a memory that can't be taken in is refused before anything is given up; to its disk it works", async () => {
  const it = await drivenMachine();
  await it.living();
  await it.withMonitor((qmp) => writeDisk(qmp, 1, 1));
  const { result } = await it.drive("checkpoint");
  await it.goesOn(2);
  const read = await readRecord(it.files);
  if (read.kind !== "read") throw new Error(read.kind);
  expect(read.value.checkpoints[0]?.savedWith).toMatchObject({
    machineType: expect.stringMatching(/^pc-q35-\d/) as string,
    accelerator: "tcg",
  });
  await writeRecord(it.files, {
    ...read.value,
    checkpoints: read.value.checkpoints.map((one) => ({
      ...one,
      savedWith: { ...one.savedWith!, machineType: "pc-q35-0.0" },
    })),
  });
  const { failure } = await it.attempt("rollBack", result.id);
  expect(failure).toMatchObject({ kind: "refused" });
  expect(failure?.remedy).toContain(`roll-back --disk-only attic ${result.id}`);
  await it.goesOn(3);
  const { machines } = await it.drive("rollBackDisk", result.id);
  expect(machines[0]?.state).toBe("stopped");
  expect(machines[0]?.record.resumeFrom).toBeUndefined();
  expect(await it.strays(await it.drive("nothing"))).toEqual([]);
  expect(await holds(it.files.disk, 1, 1)).toBe(true);
  expect(await holds(it.files.disk, 2, 2)).toBe(false);
});
