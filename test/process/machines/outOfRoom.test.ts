import { open, truncate } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, expect, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import type { GuesthouseError } from "../../../src/protocol/failure.ts";
import { adoptMachines } from "../../../src/helper/machines/adopt.ts";
import type { Entry } from "../../../src/helper/machines/roster/entry.ts";
import { resumePaused } from "../../../src/helper/machines/running/pause.ts";
import { MachineRegistry } from "../../../src/helper/machines/roster/registry.ts";
import { supervise } from "../../../src/helper/machines/running/supervise.ts";
import type { Layout } from "../../../src/helper/store/layout.ts";
import { scratchFolder } from "../qemu/workbench.ts";
import { counts, machineId, status } from "../snapshots/bareMachine.ts";
import { drivenMachine } from "../snapshots/driven.ts";

const mounted: string[] = [];
afterEach(async () => {
  for (const folder of mounted.splice(0)) await execa("umount", ["-l", folder]);
});

/** A helper that takes over what lives in a data folder; `leave` lets go of it. */
async function helper(
  layout: Layout,
): Promise<{ registry: MachineRegistry; entry: Entry; leave: () => void }> {
  const registry = new MachineRegistry(layout, {
    changed: () => undefined,
    removed: () => undefined,
  });
  const deps = { layout, registry, log: silentLog };
  let left = false;
  await adoptMachines({
    ...deps,
    onLiving: (entry, live) =>
      supervise(entry, live, {
        ...deps,
        leaving: () => left,
        onReset: () => undefined,
      }),
  });
  const entry = registry.find(machineId);
  const leave = (): void => {
    left = true;
    entry.live?.qmp?.close();
  };
  return { registry, entry, leave };
}

const within = (ms: number): AbortSignal => AbortSignal.timeout(ms);

/** How many of the guest's writes are on the disk, one after the other and whole. */
async function written(path: string): Promise<number> {
  const file = await open(path);
  try {
    const sector = Buffer.alloc(512);
    for (let n = 0; ; n++) {
      await file.read(sector, 0, 512, n * 8 * 512);
      const expected = Buffer.alloc(512);
      expected.fill(Uint8Array.of((n * 8 + 1) & 255, (n * 8 + 1) >> 8));
      if (!sector.equals(expected)) return n;
    }
  } finally {
    await file.close();
  }
}

const noRoom = {
  kind: "failed",
  code: "host.diskFull",
  message: expect.stringContaining("paused before a write") as string,
  remedy: expect.stringContaining("resume") as string,
};

test("a guest whose disk finds no room is paused and says why; with room it goes on and no write is missing", async ({
  skip,
}) => {
  if (process.getuid?.() !== 0) skip("mounting a tmpfs needs root");
  const small = await scratchFolder();
  await execa("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", small]);
  mounted.push(small);
  const disk = join(small, "disk.raw");
  await (await open(disk, "w")).close();
  await truncate(disk, 32 * 1024 ** 2);
  const it = await drivenMachine();
  await it.living({
    guest: "writing",
    extra: [
      ...[
        "-blockdev",
        "driver=raw,node-name=small,file.driver=file,file.filename=" + disk,
      ],
      ...["-device", "isa-ide,id=legacy"],
      ...["-device", "ide-hd,bus=legacy.0,drive=small"],
    ],
  });

  const first = await helper(it.layout);
  const stopped = await first.registry.until(
    first.entry,
    ({ kind }) => kind === "paused",
    within(30_000),
  );
  expect(stopped).toMatchObject({ kind: "paused", failure: noRoom });
  const before = await written(disk);
  expect(before).toBeGreaterThan(100);

  // Still no room: says so at once, and nothing is lost by trying.
  const again: unknown = await resumePaused(
    first.entry,
    first.entry.live!,
    first.registry,
    within(10_000),
  ).catch((error: unknown) => error);
  expect((again as GuesthouseError).failure).toMatchObject(noRoom);
  expect(first.entry.state).toMatchObject({ kind: "paused", failure: noRoom });
  expect(await status(first.entry.live!.qmp!)).toBe("io-error");
  first.leave();

  // The next helper finds it so.
  const { entry, registry, leave } = await helper(it.layout);
  expect(entry.state).toMatchObject({ kind: "paused", failure: noRoom });
  await execa("mount", ["-o", "remount,size=64m", small]);
  const live = entry.live!;
  await resumePaused(entry, live, registry, within(10_000));
  expect(entry.state.kind).toBe("running");
  expect(await counts(live.qmp!)).toBe(true);
  await expect
    .poll(() => written(disk), { timeout: 20_000 })
    .toBeGreaterThan(before + 1000);
  leave();
});
