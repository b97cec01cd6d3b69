import { access, chmod, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type LogFields, createLog } from "../../../src/base/log.ts";
import { chooseAccelerator } from "../../../src/helper/host/accelerator.ts";
import { examineHost } from "../../../src/helper/host/doctor.ts";
import { findPackageManager } from "../../../src/helper/host/packages.ts";
import { tryAccelerator } from "../../../src/helper/host/trial.ts";
import { inspectQemu } from "../../../src/helper/qemu/inspect.ts";
import { processIdentity } from "../../../src/helper/qemu/process.ts";
import { findProgram } from "../../../src/helper/processes/programs.ts";
import { qemuBinary, scratchFolder } from "../qemu/workbench.ts";

/** A log that counts trials. */
function trialLog() {
  const tried: LogFields[] = [];
  const log = createLog((line) => tried.push(JSON.parse(line) as LogFields));
  return { tried, log };
}

const arm = await findProgram("qemu-system-aarch64");

test("emulation runs 64-bit x86 code (B7)", async () => {
  const trial = await tryAccelerator({
    binary: await qemuBinary(),
    arch: "x86_64",
    kind: "tcg",
    timeoutMs: 30_000,
  });
  expect(trial).toMatchObject({ kind: "tcg", worked: true });
});

test("emulation runs 64-bit ARM code (B7)", async ({ skip }) => {
  if (arm === undefined) skip("qemu-system-aarch64 is not installed");
  const trial = await tryAccelerator({
    binary: arm!,
    arch: "aarch64",
    kind: "tcg",
    timeoutMs: 30_000,
  });
  expect(trial).toMatchObject({ kind: "tcg", worked: true });
});

test("an emulator of ARM says what it can, though it has no machine of its own accord (F64)", async ({
  skip,
}) => {
  if (arm === undefined) skip("qemu-system-aarch64 is not installed");
  expect(await inspectQemu(arm!)).toMatchObject({ userNetwork: true });
});

test("a guest that hangs is killed in time and called by its name (B7)", async () => {
  const folder = await scratchFolder();
  // Plays a QEMU whose guest never runs a single instruction.
  const hanging = join(folder, "qemu-that-hangs");
  await writeFile(
    hanging,
    `#!/bin/sh\necho $$ > ${folder}/pid\nexec sleep 600\n`,
  );
  await chmod(hanging, 0o755);
  const trial = await tryAccelerator({
    binary: hanging,
    arch: "x86_64",
    kind: "kvm",
    timeoutMs: 300,
  });
  expect(trial).toMatchObject({
    worked: false,
    detail: "KVM opens, but the trial guest ran no code within 0.3 s.",
  });
  const pid = Number(await readFile(join(folder, "pid"), "utf8"));
  expect(await processIdentity(pid)).toBeUndefined();
});

test("the choice comes from real trials and is remembered for this boot and QEMU (B7)", async () => {
  const folder = await scratchFolder();
  const cachePath = join(folder, "accelerator.json");
  const { tried, log } = trialLog();
  const binary = await qemuBinary();
  const request = { binary, arch: "x86_64", cachePath, log } as const;

  const [first, together] = await Promise.all([
    chooseAccelerator(request),
    chooseAccelerator(request),
  ]);
  expect(together).toEqual(first);
  const trials = tried.length;
  expect(trials).toBeGreaterThan(0);
  expect(first.trials.at(-1)).toMatchObject({ kind: first.kind, worked: true });
  expect(first.reason).not.toBe("");

  expect(await chooseAccelerator(request)).toEqual(first);
  expect(tried).toHaveLength(trials);

  await chooseAccelerator({ ...request, retry: true });
  expect(tried.length).toBeGreaterThan(trials);

  await writeFile(cachePath, "{ damaged");
  expect((await chooseAccelerator(request)).kind).toBe(first.kind);
  // Mended, so that it is remembered again.
  const mended = tried.length;
  expect((await chooseAccelerator(request)).kind).toBe(first.kind);
  expect(tried).toHaveLength(mended);
  expect(JSON.parse(await readFile(cachePath, "utf8"))).not.toEqual({});
});

const kvmThere = await access("/dev/kvm").then(
  () => true,
  () => false,
);

test.skipIf(!kvmThere)(
  "KVM is taken when its guest runs code, else the reason is told (B7) [needs /dev/kvm]",
  async () => {
    const { log } = trialLog();
    const { kind, reason, trials } = await chooseAccelerator({
      binary: await qemuBinary(),
      arch: "x86_64",
      cachePath: join(await scratchFolder(), "accelerator.json"),
      log,
    });
    const kvm = trials.find((trial) => trial.kind === "kvm");
    expect(kind).toBe(kvm?.worked === true ? "kvm" : "tcg");
    if (kind === "tcg") expect(reason).toContain(kvm?.detail);
  },
);

test("another QEMU at the same path is tried anew (B7)", async () => {
  const folder = await scratchFolder();
  const cachePath = join(folder, "accelerator.json");
  const { tried, log } = trialLog();
  const binary = join(folder, "qemu-system-x86_64");
  await writeFile(binary, `#!/bin/sh\nexec ${await qemuBinary()} "$@"\n`);
  await chmod(binary, 0o755);
  const request = { binary, arch: "x86_64", cachePath, log } as const;
  await chooseAccelerator(request);
  const trials = tried.length;
  await utimes(binary, new Date(), new Date(Date.now() - 3_600_000));
  await chooseAccelerator(request);
  expect(tried.length).toBe(2 * trials);
});

test("a QEMU that can't run at all is refused with what it did", async () => {
  const folder = await scratchFolder();
  const binary = join(folder, "qemu-system-x86_64");
  await writeFile(binary, "#!/bin/sh\necho broken library >&2\nexit 127\n");
  await chmod(binary, 0o755);
  await expect(
    chooseAccelerator({
      binary,
      arch: "x86_64",
      cachePath: join(folder, "accelerator.json"),
      log: trialLog().log,
    }),
  ).rejects.toMatchObject({
    failure: {
      code: "host.toolFailed",
      message: expect.stringContaining("broken library"),
    },
  });
});

test("the doctor reports on everything that machines need", async () => {
  const home = await scratchFolder();
  const report = await examineHost({
    home,
    acceleratorCache: join(home, "accelerator.json"),
    networkCache: join(home, "network.json"),
    log: trialLog().log,
    extraChecks: () =>
      Promise.resolve([
        {
          id: "ssh-include",
          title: "SSH config",
          outcome: "ok",
          detail: "included",
        },
      ]),
  });
  expect(report.checks.map(({ id }) => id)).toEqual([
    ...["qemu", "qemu-img", "accelerator", "network", "ssh", "build-tools"],
    ...["data-folder", "disk-space", "ssh-include"],
  ]);
  expect(report.healthy).toBe(
    report.checks.every(({ outcome }) => outcome !== "error"),
  );
  for (const check of report.checks)
    expect(
      check.outcome === "ok" || check.remedy !== undefined,
      `${check.id} says what to do`,
    ).toBe(true);
});

test("the doctor on a host without QEMU names the packages and one command", async () => {
  const home = await scratchFolder();
  process.env["GUESTHOUSE_QEMU"] = home;
  try {
    const report = await examineHost({
      home,
      acceleratorCache: join(home, "accelerator.json"),
      networkCache: join(home, "network.json"),
      log: trialLog().log,
    });
    expect(report.healthy).toBe(false);
    const qemu = report.checks.find(({ id }) => id === "qemu");
    expect(qemu?.outcome).toBe("error");
    const manager = await findPackageManager();
    if (manager === undefined) {
      expect(report.installCommand).toBeUndefined();
      expect(qemu?.remedy).toMatch(/package manager/);
    } else {
      expect(qemu?.packages).not.toEqual([]);
      expect(report.installCommand).toEqual(
        expect.arrayContaining(qemu?.packages ?? ["no packages were named"]),
      );
    }
  } finally {
    delete process.env["GUESTHOUSE_QEMU"];
  }
});
