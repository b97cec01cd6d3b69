import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { beforeEach, expect, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { type Failure, toFailure } from "../../../src/protocol/failure.ts";
import type { GoldenImage } from "../../../src/helper/images/golden/goldenImage.ts";
import type { Images } from "../../../src/helper/images/images.ts";
import { createMachine } from "../../../src/helper/machines/create.ts";
import type { Environment } from "../../../src/helper/machines/boot/environment.ts";
import { launchMachine } from "../../../src/helper/machines/boot/launch.ts";
import { makeTemplate } from "../../../src/helper/machines/warm/makeTemplate.ts";
import { MachineRegistry } from "../../../src/helper/machines/roster/registry.ts";
import type { Warm } from "../../../src/helper/machines/warm/warm.ts";
import { endProcess, findQemu } from "../../../src/helper/qemu/process.ts";
import {
  emptyOverlay,
  type TemplateRecord,
  Templates,
} from "../../../src/helper/snapshots/templates.ts";
import { pinHostKey, unpinHost } from "../../../src/helper/ssh/knownHosts.ts";
import { ensureUserKey } from "../../../src/helper/ssh/keys.ts";
import type { Layout, MachineFiles } from "../../../src/helper/store/layout.ts";
import { readRecord } from "../../../src/helper/store/records.ts";
import { owned } from "../qemu/workbench.ts";
import { counts, home } from "../snapshots/bareMachine.ts";
import { machineRecord } from "../snapshots/machineRecord.ts";
import { bareImage, emulation } from "./bareImage.ts";
import { canMount, type SmallDisk, smallDisk } from "./smallDisk.ts";

let small: SmallDisk;
let layout: Layout;
let files: MachineFiles;
let image: GoldenImage;
let environment: Environment;

const sizeMiB = 500;
const shape = { cpus: 1, memoryMiB: 160, diskGiB: 1, user: "guest" };
const layer = "0123456789abcdef";
const template: TemplateRecord = {
  format: 1,
  id: "warm",
  image: { name: "bare", digest: "sha256:0" },
  shape,
  layer,
  network: "user",
  createdAt: machineRecord.createdAt,
  lastUsedAt: machineRecord.createdAt,
  sizeBytes: 0,
};

beforeEach(async ({ skip }) => {
  if (!canMount) skip("mounting a tmpfs needs root");
  small = await smallDisk(sizeMiB);
  ({ layout, files } = await home(join(small.folder, "home")));
  environment = await emulation();
  image = await bareImage(layout, "busy");
  for (const folder of [layout.layers, layout.templates])
    await mkdir(folder, { mode: 0o700 });
  await ensureUserKey(layout.ssh);
  await pinHostKey(layout.ssh.knownHosts, "gh-other", "ssh-ed25519 AAAA");
  await unpinHost(layout.ssh.knownHosts, "gh-other");
});

const everything = async (): Promise<string[]> =>
  (await readdir(layout.home, { recursive: true })).sort();

const failureOf = (work: Promise<unknown>): Promise<Failure> =>
  work.then(
    () => {
      throw new Error("it worked");
    },
    (error: unknown) => toFailure(error),
  );

const full = {
  kind: "failed",
  code: "host.diskFull",
  remedy: expect.stringMatching(/space/i) as string,
};
const never = (): AbortSignal => new AbortController().signal;

/** Less and less of the disk is taken, until the work gets through. */
async function withMoreAndMoreRoom<T>(
  work: () => Promise<T>,
  afterFailure: () => Promise<void>,
): Promise<T> {
  const before = await everything();
  let failures = 0;
  for (const KiB of [0, 4, 8, 12, 16, 20, 28, 40, 64, 200, 400, 1000]) {
    await small.leave(KiB * 1024);
    const outcome = await work().then(
      (value) => ({ value }),
      (error: unknown) => ({ failure: toFailure(error) }),
    );
    await small.empty();
    if ("value" in outcome) {
      expect(failures).toBeGreaterThan(1);
      return outcome.value;
    }
    failures++;
    const what = `with ${String(KiB)} KiB`;
    expect(outcome.failure, what).toMatchObject(full);
    // That a template was used is noted by the way.
    await expect.poll(everything, { message: what }).toEqual(before);
    await afterFailure();
  }
  return work();
}

const store = (): Templates =>
  new Templates(
    layout,
    { changed: () => undefined, removed: () => undefined },
    silentLog,
  );

/** A template's files, as far as a clone's creation looks at them. */
async function makeTemplateFiles(templates: Templates): Promise<void> {
  const own = templates.files(template.id);
  await mkdir(own.folder, { recursive: true, mode: 0o700 });
  for (const [path, backing] of [
    [layout.layer(layer), image.files.disk],
    [emptyOverlay(own), layout.layer(layer)],
  ] as const)
    await execa("qemu-img", [
      ...["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", backing, path],
    ]);
}

test("a warm clone on a full disk: there is none, nothing is left, and with room it is made", async () => {
  const templates = store();
  await makeTemplateFiles(templates);
  await templates.commit(template);
  const registry = new MachineRegistry(layout, {
    changed: () => undefined,
    removed: () => undefined,
  });
  const images = {
    obtain: () => Promise.resolve(image),
    usersChanged: () => Promise.resolve(),
  } as unknown as Images;
  const warm = {
    find: () => Promise.resolve(template),
  } as unknown as Warm;
  const deps = { layout, registry, images, templates, warm, log: silentLog };
  const { record } = await withMoreAndMoreRoom(
    () => createMachine({ ...shape, name: "clone" }, deps, never()),
    () => {
      expect(registry.entries()).toEqual([]);
      return Promise.resolve();
    },
  );
  expect(await readRecord(layout.machine(record.id))).toEqual({
    kind: "read",
    value: record,
  });
  expect(record.resumeFrom).toEqual({ kind: "template", id: template.id });
});

test("a start on a full disk: no QEMU is left that nobody knows of, and with room it starts", async () => {
  await writeFile(files.seed, Buffer.alloc(1024 * 1024));
  // Those of an earlier start, which stay.
  await writeFile(files.log, "");
  await writeFile(files.qemuLog, "");
  for (const end of ["in", "out"])
    await execa("mkfifo", ["-m", "600", `${files.handoff}.${end}`]);
  const live = await withMoreAndMoreRoom(
    () =>
      launchMachine(
        { record: machineRecord, image, environment, from: { kind: "cold" } },
        { layout, log: silentLog },
      ),
    async () => {
      expect(await findQemu(files.qmpSocket)).toEqual([]);
    },
  );
  owned(live.handles);
  expect(await counts(live.qmp!)).toBe(true);
  live.qmp!.close();
});

const making = (
  changes: Partial<Parameters<typeof makeTemplate>[0]> = {},
): Promise<TemplateRecord> =>
  makeTemplate(
    {
      ...{ id: "warm", image, shape, environment, layout, log: silentLog },
      onStage: () => undefined,
      ...changes,
    },
    never(),
  );

/** The log of its boot is kept for whoever wants to know why. */
const withoutLogs = async (): Promise<string[]> =>
  (await everything()).filter((name) => !/^logs\/template-/.test(name));

test("a template without room for its memory is not begun", async () => {
  const before = await everything();
  await small.leave((shape.memoryMiB + 100) * 1024 ** 2);
  expect(await failureOf(making())).toMatchObject(full);
  expect(await everything()).toEqual(before);
});

test("a disk that becomes full under a template's memory ends QEMU (SIGBUS): said as what it is, nothing is left", async () => {
  const before = await everything();
  let filled: Promise<void> | undefined;
  const failure = await failureOf(
    making({
      onStage: (stage) => {
        if (stage === "boot") filled = small.leave(60 * 1024 ** 2);
      },
    }),
  );
  // QEMU may end by a first try that found less room than there was a moment before.
  await filled;
  expect(failure).toMatchObject(full);
  expect(await findQemu(join(layout.run, "tmpl-"))).toEqual([]);
  expect(await withoutLogs()).toEqual(before);
});

test("QEMU killed while a template boots: said so at once, nothing is left", async () => {
  const before = await everything();
  const made = failureOf(making());
  // One that ends before its monitor answers is told of as a start that failed.
  await new Promise((wake) => setTimeout(wake, 1_500));
  await expect
    .poll(async () => {
      const [qemu] = await findQemu(join(layout.run, "tmpl-"));
      return qemu !== undefined && (await endProcess(qemu, "SIGKILL"));
    })
    .toBe(true);
  expect(await made).toMatchObject({
    code: "templates.failed",
    message: expect.stringContaining("QEMU ended unexpectedly") as string,
  });
  expect(await withoutLogs()).toEqual(before);
});

test("a template whose record finds no room is none, and its files are gone", async () => {
  const templates = store();
  const before = await everything();
  await makeTemplateFiles(templates);
  await small.leave(0);
  expect(await failureOf(templates.commit(template))).toMatchObject(full);
  await small.empty();
  expect(templates.find(template.id)).toBeUndefined();
  expect(await everything()).toEqual(before);
});
