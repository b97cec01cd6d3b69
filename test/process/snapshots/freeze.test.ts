import { readdir, readlink, stat } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import {
  activeDisk,
  nodeOf,
  switchToOverlay,
} from "../../../src/helper/snapshots/diskNodes.ts";
import {
  freezeAtRest,
  prepareFreeze,
  recoverDisk,
} from "../../../src/helper/snapshots/freeze.ts";
import {
  layerUses,
  unusedLayers,
} from "../../../src/helper/snapshots/layers.ts";
import { readQcow2Header } from "../../../src/helper/qemu/qcow2.ts";
import { endProcess, waitForExit } from "../../../src/helper/qemu/process.ts";
import { diskBytes, holds, home, start, writeDisk } from "./bareMachine.ts";

const inode = async (path: string): Promise<number> => (await stat(path)).ino;

/** The disks that a process has open, by what they are. */
async function openDisks(pid: number): Promise<number[]> {
  const folder = `/proc/${String(pid)}/fd`;
  const inodes: number[] = [];
  for (const fd of await readdir(folder)) {
    const path = join(folder, fd);
    const target = await readlink(path).catch(() => "");
    if (target.includes(".qcow2")) inodes.push(await inode(path));
  }
  return inodes.sort();
}

async function chainOf(disk: string): Promise<number[]> {
  const inodes: number[] = [];
  for (let path: string | undefined = disk; path !== undefined;) {
    inodes.push(await inode(path));
    path = (await readQcow2Header(path)).backingPath;
  }
  return inodes.sort();
}

test("five freezes of a living disk in a row keep every byte, each layer as of its moment", async () => {
  const { layout, files } = await home();
  const machine = await start(files);
  const layers: string[] = [];
  for (let n = 1; n <= 5; n++) {
    await writeDisk(machine.qmp, n, n);
    await writeDisk(machine.qmp, 0x40 + n, 10);
    const freeze = await prepareFreeze({ layout, files, qmp: machine.qmp });
    await freeze.commit();
    layers.push(freeze.layer);
  }
  await writeDisk(machine.qmp, 0x77, 20);
  expect(new Set(layers).size).toBe(5);
  // A backing file that QEMU has opened again by a name that means another file by now would show here.
  expect(await openDisks(machine.pid)).toEqual(await chainOf(files.disk));
  await machine.qmp.execute("quit").catch(() => undefined);
  await waitForExit(machine, 5_000);
  expect(await holds(files.disk, 0x77, 20)).toBe(true);
  expect(await holds(files.disk, 0xb5, 0)).toBe(true);
  for (const [index, layer] of layers.entries()) {
    const n = index + 1;
    expect(await holds(files.disk, n, n)).toBe(true);
    expect(await holds(layout.layer(layer), 0x40 + n, 10)).toBe(true);
    expect(await holds(layout.layer(layer), n, n)).toBe(true);
    expect(await holds(layout.layer(layer), 0, n + 1)).toBe(true);
    expect((await stat(layout.layer(layer))).mode & 0o777).toBe(0o400);
  }
  expect((await readQcow2Header(files.disk)).virtualSizeBytes).toBe(diskBytes);
  expect(await unusedLayers(layout)).toEqual([]);
  expect(await readdir(files.folder)).not.toContain("disk.next.qcow2");
});

test("a clone can stand on a layer while the machine above it runs", async () => {
  const { layout, files } = await home();
  const machine = await start(files);
  for (const pattern of [1, 2]) {
    await writeDisk(machine.qmp, pattern, 1);
    const freeze = await prepareFreeze({ layout, files, qmp: machine.qmp });
    await freeze.commit();
    // Without -U: takes QEMU's locks, which a layer that is open for writing would refuse.
    await execa("qemu-io", [
      ...["-r", "-c", `read -P ${String(pattern)} 1M 1M`],
      layout.layer(freeze.layer),
    ]);
  }
});

test("a disk at rest is frozen without QEMU, again and again", async () => {
  const { layout, files } = await home();
  const first = await freezeAtRest(layout, files);
  const second = await freezeAtRest(layout, files);
  expect(second).not.toBe(first);
  expect((await readQcow2Header(files.disk)).backingPath).toBe(
    layout.layer(second),
  );
  expect(await holds(files.disk, 0xb5, 0)).toBe(true);
  expect([...(await layerUses(layout)).keys()].sort()).toEqual(
    [first, second].sort(),
  );
});

test("taking a prepared freeze back leaves machine and folder as they were", async () => {
  const { layout, files } = await home();
  const machine = await start(files);
  const before = (await readdir(files.folder)).sort();
  const freeze = await prepareFreeze({ layout, files, qmp: machine.qmp });
  await freeze.undo();
  expect((await readdir(files.folder)).sort()).toEqual(before);
  expect(await readdir(layout.layers)).toEqual([]);
  await writeDisk(machine.qmp, 3, 3);
  await (await prepareFreeze({ layout, files, qmp: machine.qmp })).commit();
  await writeDisk(machine.qmp, 4, 4);
});

test("a disk frozen while QEMU was killed at any moment is mended with every byte", async () => {
  const { layout, files } = await home();
  for (const [n, when] of (["prepared", "switched"] as const).entries()) {
    const machine = await start(files);
    const freeze = await prepareFreeze({ layout, files, qmp: machine.qmp });
    if (when === "switched") {
      // The helper dies between QEMU's answer and the rename.
      const { node, others } = await activeDisk(machine.qmp);
      await switchToOverlay(machine.qmp, node, nodeOf(others[0]!));
    }
    expect(freeze.layer).toMatch(/^[0-9a-f]{16}$/);
    await writeDisk(machine.qmp, 0x30 + n, 30 + n);
    await endProcess(machine, "SIGKILL");
    await waitForExit(machine, 5_000);
    await recoverDisk(layout, files, undefined);
    expect(await holds(files.disk, 0x30 + n, 30 + n)).toBe(true);
    expect(await holds(files.disk, 0xb5, 0)).toBe(true);
    expect(await readdir(files.folder)).not.toContain("disk.next.qcow2");
  }
});

test("with a living QEMU the overlay is taken or dropped by what QEMU writes to", async () => {
  const { layout, files } = await home();
  const machine = await start(files);
  await prepareFreeze({ layout, files, qmp: machine.qmp });
  expect(await readdir(files.folder)).toContain("disk.next.qcow2");
  await recoverDisk(layout, files, machine.qmp);
  expect(await readdir(files.folder)).not.toContain("disk.next.qcow2");
  await writeDisk(machine.qmp, 5, 5);
  await (await prepareFreeze({ layout, files, qmp: machine.qmp })).commit();
  await writeDisk(machine.qmp, 6, 6);
  await machine.qmp.execute("quit").catch(() => undefined);
  await waitForExit(machine, 5_000);
  expect(await holds(files.disk, 5, 5)).toBe(true);
  expect(await holds(files.disk, 6, 6)).toBe(true);
});
