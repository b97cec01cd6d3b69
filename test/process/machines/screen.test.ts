import { mkdir, readdir } from "node:fs/promises";
import { expect, test } from "vitest";
import { setMachine } from "../../../src/helper/machines/change.ts";
import { MachineRegistry } from "../../../src/helper/machines/roster/registry.ts";
import { takeScreenshot } from "../../../src/helper/machines/running/screenshot.ts";
import { shapeOf } from "../../../src/helper/machines/roster/shape.ts";
import { readRecord } from "../../../src/helper/store/records.ts";
import { home, start } from "../snapshots/bareMachine.ts";
import { machineRecord } from "../snapshots/machineRecord.ts";

const stopped = { kind: "stopped", reason: "created" } as const;

test("another screen or size is another machine: the template's memory is given up, and nothing else", async () => {
  const { layout, files } = await home();
  await mkdir(files.folder, { recursive: true });
  const registry = new MachineRegistry(layout, {
    changed: () => undefined,
    removed: () => undefined,
  });
  const resumeFrom = { kind: "template", id: "0123456789abcdef" } as const;
  const entry = registry.add({ ...machineRecord, resumeFrom }, stopped);
  const set = (wanted: Parameters<typeof setMachine>[1]): Promise<void> =>
    setMachine(
      entry,
      wanted,
      { registry, layout },
      new AbortController().signal,
    );
  const { cpus, memoryMiB } = machineRecord;
  await set({ screen: false, cpus, memoryMiB });
  expect(entry.record.resumeFrom).toEqual(resumeFrom);
  expect(shapeOf(entry.record)).not.toHaveProperty("screen");
  for (const other of [{ cpus: cpus + 1 }, { memoryMiB: memoryMiB * 2 }]) {
    await set(other);
    expect(entry.record.resumeFrom).toBeUndefined();
    await registry.rewrite(entry, { resumeFrom });
  }
  await set({ screen: true });
  const read = await readRecord(files);
  expect(read).toMatchObject({ kind: "read", value: { screen: true } });
  expect(entry.record.resumeFrom).toBeUndefined();
  expect(shapeOf(entry.record)).toHaveProperty("screen", true);
});

test("a picture is what the screen shows, and leaves no file; without a screen there is none", async () => {
  const { layout, files } = await home();
  const { qmp } = await start(files, {
    spec: { screenSocket: files.screenSocket },
  });
  const picture = (screen: boolean): Promise<Buffer> =>
    takeScreenshot({ record: { ...machineRecord, screen } }, { qmp }, layout);
  // Before the firmware has begun there is a message of QEMU's in the picture's place, of another size.
  await expect
    .poll(
      async () => {
        const png = await picture(true);
        return [
          png.toString("latin1", 1, 4),
          png.readUInt32BE(16),
          png.readUInt32BE(20),
        ];
      },
      { timeout: 20_000 },
    )
    .toEqual(["PNG", 720, 400]);
  expect(await readdir(layout.work)).toEqual([]);
  await expect(picture(false)).rejects.toMatchObject({
    failure: { kind: "refused", message: "“attic” has no screen." },
  });
});
