import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  isPlugged,
  plugDisk,
  unplugDisk,
} from "../../../src/helper/qemu/hotPlug.ts";
import { scratchFolder, waitingMachine } from "./workbench.ts";

test("a disk is plugged in once; without a guest that lets go of it, it stays and that is said", async () => {
  const { qmp } = await waitingMachine();
  const path = join(await scratchFolder(), "files.tar");
  await writeFile(path, Buffer.alloc(10 * 1024));
  expect(await isPlugged(qmp)).toBe(false);
  expect(await unplugDisk(qmp)).toBe(true);
  await plugDisk(qmp, path, "serial");
  expect(await isPlugged(qmp)).toBe(true);
  await expect(plugDisk(qmp, path, "serial")).rejects.toMatchObject({
    failure: { code: "qemu.monitor" },
  });
  expect(await isPlugged(qmp)).toBe(true);
  expect(await unplugDisk(qmp, 300)).toBe(false);
});

test("what can't be opened is not plugged in, and nothing of it stays", async () => {
  const { qmp } = await waitingMachine();
  const path = join(await scratchFolder(), "files.tar");
  await expect(plugDisk(qmp, path, "serial")).rejects.toMatchObject({
    failure: { code: "qemu.monitor" },
  });
  await writeFile(path, Buffer.alloc(10 * 1024));
  await plugDisk(qmp, path, "serial");
  expect(await isPlugged(qmp)).toBe(true);
});
