import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, expect, test } from "vitest";
import {
  captureForGood,
  captureMachine,
  type CaptureJob,
} from "../../../src/helper/snapshots/capture.ts";
import {
  endProcess,
  type LaunchedQemu,
  waitForExit,
} from "../../../src/helper/qemu/process.ts";
import { toFailure } from "../../../src/protocol/failure.ts";
import type { Qmp } from "../../../src/helper/qemu/qmp.ts";
import { unusedLayers } from "../../../src/helper/snapshots/layers.ts";
import type { Layout, MachineFiles } from "../../../src/helper/store/layout.ts";
import { scratchFolder } from "../qemu/workbench.ts";
import {
  atWork,
  counter,
  counts,
  holds,
  home,
  start,
  startFrom,
  status,
  writeDisk,
} from "./bareMachine.ts";

interface Scene {
  readonly layout: Layout;
  readonly files: MachineFiles;
}

const job = (
  { layout, files }: Scene,
  { qmp }: LaunchedQemu,
  changes: Partial<CaptureJob> = {},
): CaptureJob => ({
  qmp,
  layout,
  files,
  statePath: files.state,
  // The longer of the two, which leaves more moments to disturb it.
  strategy: "precopy",
  ...changes,
});

/** One per capture, as every request has its own. */
const never = (): AbortSignal => new AbortController().signal;

/** Everything in the data folder that a capture may leave. */
async function traces({ layout, files }: Scene): Promise<string[]> {
  const names = [
    ...(await readdir(files.folder)),
    ...(await readdir(layout.run)),
    // One that the disk stands on is the machine's, whatever became of the capture.
    ...(await unusedLayers(layout)),
  ];
  return names
    .filter((name) => !/^(handoff|guest$|qemu\.|disk\.qcow2$)/.test(name))
    .sort();
}

const mounted: string[] = [];
afterEach(async () => {
  for (const folder of mounted.splice(0)) await execa("umount", ["-l", folder]);
});

for (const strategy of ["precopy", "stop"] as const)
  test(`${strategy}: a second QEMU goes on where the first was kept, and the first goes on too`, async () => {
    const scene = await home();
    const { layout, files } = scene;
    const parent = await start(files);
    await writeDisk(parent.qmp, 1, 1);
    const before = await counter(parent.qmp);
    const captured = await captureMachine(
      job(scene, parent, { strategy }),
      never(),
    );
    expect(await counts(parent.qmp)).toBe(true);
    await writeDisk(parent.qmp, 2, 1);
    expect((await stat(files.state)).mode & 0o777).toBe(0o600);
    expect((await stat(files.state)).size).toBe(captured.stateBytes);
    expect(captured.pausedMs).toBeGreaterThan(0);

    const child = layout.machine("cccccccccccc");
    await execa("mkdir", ["-p", child.folder]);
    await execa("qemu-img", [
      ...["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b"],
      layout.layer(captured.layer),
      child.disk,
    ]);
    const second = await startFrom(child, files.state);
    const kept = await counter(second.qmp);
    expect(kept).toBeGreaterThanOrEqual(before);
    await second.qmp.execute("cont");
    expect(await counts(second.qmp)).toBe(true);
    await writeDisk(second.qmp, 3, 2);
    for (const machine of [parent, second]) {
      await machine.qmp.execute("quit").catch(() => undefined);
      await waitForExit(machine, 5_000);
    }
    expect(await holds(files.disk, 2, 1)).toBe(true);
    expect(await holds(child.disk, 1, 1)).toBe(true);
    expect(await holds(child.disk, 3, 2)).toBe(true);
  });

test("again and again: five captures of a living machine, and QEMU's settings are its own again", async () => {
  const scene = await home();
  const machine = await start(scene.files);
  const settings = await machine.qmp.execute("query-migrate-parameters");
  const capabilities = await machine.qmp.execute("query-migrate-capabilities");
  for (let n = 1; n <= 5; n++) {
    await captureMachine(job(scene, machine), never());
    await writeDisk(machine.qmp, n, n);
    expect(await counts(machine.qmp)).toBe(true);
  }
  expect(await machine.qmp.execute("query-migrate-parameters")).toEqual(
    settings,
  );
  expect(await machine.qmp.execute("query-migrate-capabilities")).toEqual(
    capabilities,
  );
  await machine.qmp.execute("quit").catch(() => undefined);
  await waitForExit(machine, 5_000);
  for (let n = 1; n <= 5; n++)
    expect(await holds(scene.files.disk, n, n)).toBe(true);
});

test("a guest that changes its memory faster than it is sent is stopped all the same", async () => {
  const scene = await home();
  const machine = await start(scene.files, { guest: "busy" });
  await atWork(machine.qmp);
  const startedMs = Date.now();
  const { pausedMs } = await captureMachine(job(scene, machine), never());
  expect(Date.now() - startedMs).toBeLessThan(30_000);
  expect(pausedMs).toBeGreaterThan(0);
  expect(await counts(machine.qmp)).toBe(true);
});

test("a paused machine stays paused, twice in a row, and can be resumed", async () => {
  const scene = await home();
  const machine = await start(scene.files);
  await machine.qmp.execute("stop");
  for (let n = 0; n < 2; n++) {
    const { pausedMs } = await captureMachine(job(scene, machine), never());
    expect(pausedMs).toBe(0);
    expect(await status(machine.qmp)).toBe("paused");
  }
  await machine.qmp.execute("cont");
  expect(await counts(machine.qmp)).toBe(true);
  await writeDisk(machine.qmp, 9, 9);
});

test("the disk alone is frozen without the guest's standing still", async () => {
  const scene = await home();
  const machine = await start(scene.files);
  await writeDisk(machine.qmp, 1, 1);
  const captured = await captureMachine(
    job(scene, machine, { statePath: undefined }),
    never(),
  );
  expect(captured).toMatchObject({ stateBytes: 0, pausedMs: 0 });
  await writeDisk(machine.qmp, 2, 1);
  expect(await holds(scene.layout.layer(captured.layer), 1, 1)).toBe(true);
  expect(await traces(scene)).not.toContain("state");
});

test("for a suspension the guest stands still afterwards, and its disk is free for the next QEMU", async () => {
  const scene = await home();
  const { files } = scene;
  const machine = await start(files);
  await captureForGood(
    { ...job(scene, machine), statePath: files.state },
    never(),
  );
  expect(await counts(machine.qmp, 200)).toBe(false);
  await machine.qmp.execute("quit").catch(() => undefined);
  await waitForExit(machine, 5_000);
  const again = await startFrom(files, files.state);
  await again.qmp.execute("cont");
  expect(await counts(again.qmp)).toBe(true);
  await writeDisk(again.qmp, 4, 4);
});

for (const memory of ["anonymous", "private file"])
  test(`cancelled at many moments (${memory} memory): the guest goes on and no file stays`, async () => {
    const scene = await home();
    const { files } = scene;
    const file = join(await scratchFolder(), "memory");
    await execa("truncate", ["-s", "160M", file]);
    const machine = await start(files, {
      guest: "busy",
      spec:
        memory === "anonymous"
          ? {}
          : { memoryFile: { path: file, shared: false } },
    });
    await atWork(machine.qmp);
    await captureMachine(
      job(scene, machine, { statePath: undefined }),
      never(),
    );
    const before = await traces(scene);
    for (const afterMs of [0, 20, 60, 120, 250]) {
      const stop = new AbortController();
      setTimeout(() => stop.abort(), afterMs);
      await expect(
        captureMachine(job(scene, machine), stop.signal).finally(() =>
          expect(stop.signal.aborted).toBe(true),
        ),
      ).rejects.toSatisfy((error) => toFailure(error).kind === "cancelled");
      expect(await status(machine.qmp)).toBe("running");
      expect(await counts(machine.qmp)).toBe(true);
      expect(await traces(scene)).toEqual(before);
    }
    await captureMachine(job(scene, machine), never());
    await writeDisk(machine.qmp, 5, 5);
  });

test("a full disk fails as such; the guest goes on, nothing stays, and with room it works", async () => {
  const scene = await home();
  const { files } = scene;
  const small = await scratchFolder();
  // Less than the stream of a guest that has only just begun, which is 1.2 MB.
  await execa("mount", ["-t", "tmpfs", "-o", "size=512k", "tmpfs", small]);
  mounted.push(small);
  const machine = await start(files, { guest: "busy" });
  await atWork(machine.qmp);
  await captureMachine(job(scene, machine, { statePath: undefined }), never());
  const before = await traces(scene);
  const error: unknown = await captureMachine(
    job(scene, machine, { statePath: join(small, "state") }),
    never(),
  ).catch((caught: unknown) => caught);
  expect(toFailure(error)).toMatchObject({ code: "host.diskFull" });
  expect(await readdir(small)).toEqual([]);
  expect(await status(machine.qmp)).toBe("running");
  expect(await counts(machine.qmp)).toBe(true);
  expect(await traces(scene)).toEqual(before);
  await captureMachine(job(scene, machine), never());
});

test("what is left of a nearly full disk stays for the guests", async () => {
  const scene = await home();
  const small = await scratchFolder();
  await execa("mount", ["-t", "tmpfs", "-o", "size=400m", "tmpfs", small]);
  mounted.push(small);
  await execa("fallocate", ["-l", "385m", join(small, "filler")]);
  const machine = await start(scene.files, { guest: "busy" });
  await atWork(machine.qmp);
  const error: unknown = await captureMachine(
    job(scene, machine, { statePath: join(small, "state") }),
    never(),
  ).catch((caught: unknown) => caught);
  expect(toFailure(error)).toMatchObject({
    code: "host.diskFull",
    message: expect.stringContaining("nearly full") as string,
  });
  expect(await readdir(small)).toEqual(["filler"]);
  expect(await counts(machine.qmp)).toBe(true);
});

test("QEMU killed in the midst: a failure that says so, no half a state", async () => {
  const scene = await home();
  const machine = await start(scene.files, { guest: "busy" });
  await atWork(machine.qmp);
  const qmp: Qmp = {
    ...machine.qmp,
    execute: async (command, ...more) => {
      if (command === "migrate-continue") await endProcess(machine, "SIGKILL");
      return machine.qmp.execute(command, ...more);
    },
  };
  await expect(
    captureMachine(job(scene, { ...machine, qmp }), never()),
  ).rejects.toMatchObject({ failure: { kind: "failed" } });
  expect((await traces(scene)).join()).not.toMatch(/state|\.save|\.part/);
});

test("how long a guest of 512 MiB with 200 MiB in use stands still", async () => {
  const scene = await home();
  const data = join(scene.files.folder, "guest.data");
  await execa("dd", [
    ...["if=/dev/urandom", `of=${data}`, "bs=1M", "count=200"],
    "status=none",
  ]);
  const machine = await start(scene.files, {
    spec: { memoryMiB: 512 },
    extra: ["-device", `loader,file=${data},addr=0x2000000,force-raw=on`],
  });
  const figures: Record<string, { pausedMs: number; totalMs: number }[]> = {};
  for (const strategy of ["precopy", "stop", "precopy", "stop"] as const) {
    const startedMs = performance.now();
    const { pausedMs, stateBytes } = await captureMachine(
      job(scene, machine, { strategy }),
      never(),
    );
    expect(stateBytes).toBeGreaterThan(200 * 1024 ** 2);
    (figures[strategy] ??= []).push({
      pausedMs: Math.round(pausedMs),
      totalMs: Math.round(performance.now() - startedMs),
    });
  }
  process.stdout.write(`pause of a capture: ${JSON.stringify(figures)}\n`);
  const best = (name: string): number =>
    Math.min(...figures[name]!.map(({ pausedMs }) => pausedMs));
  expect(best("precopy")).toBeLessThan(best("stop"));
});
