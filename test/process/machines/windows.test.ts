import { access, mkdir, readFile, stat } from "node:fs/promises";
import { execa } from "execa";
import { beforeEach, describe, expect, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { secureBootFirmware } from "../../../src/helper/images/disks/firmware.ts";
import type { GoldenImage } from "../../../src/helper/images/golden/goldenImage.ts";
import { giveHostKey } from "../../../src/helper/machines/identity/seed.ts";
import type { Environment } from "../../../src/helper/machines/boot/environment.ts";
import { launchMachine } from "../../../src/helper/machines/boot/launch.ts";
import { waitForExit } from "../../../src/helper/qemu/process.ts";
import { findSwtpm, swtpmProgram } from "../../../src/helper/qemu/swtpm.ts";
import { captureForGood } from "../../../src/helper/snapshots/capture.ts";
import type { Layout, MachineFiles } from "../../../src/helper/store/layout.ts";
import { home } from "../snapshots/bareMachine.ts";
import { machineRecord } from "../snapshots/machineRecord.ts";
import { owned } from "../qemu/workbench.ts";
import { bareImage, emulation } from "./bareImage.ts";

const missing = (
  await Promise.all([
    secureBootFirmware().then(
      () => [],
      () => ["OVMF for Secure Boot"],
    ),
    swtpmProgram().then((path) => (path === undefined ? ["swtpm"] : [])),
  ])
).flat();

const record = { ...machineRecord, os: "windows", screen: true } as const;

describe.skipIf(missing.length > 0)(
  `a machine of a Windows image (skipped without ${missing.join(", ") || "OVMF and swtpm"})`,
  () => {
    let layout: Layout;
    let files: MachineFiles;
    let environment: Environment;
    let image: GoldenImage;
    beforeEach(async () => {
      ({ layout, files } = await home());
      environment = await emulation();
      const { files: own, ...rest } = await bareImage(layout);
      const variables = layout.image("sha256:0").variables;
      image = { ...rest, os: "windows", files: { ...own, variables } };
    });

    test("has firmware variables and a TPM of its own, and goes on from a state as another machine with the same card", async () => {
      const deps = { layout, log: silentLog };
      const live = await launchMachine(
        { record, image, environment, from: { kind: "cold" } },
        deps,
      );
      owned(live.handles);
      const qmp = live.qmp!;
      expect(await qmp.execute("query-tpm")).toMatchObject([
        { model: "tpm-tis", options: { type: "emulator" } },
      ]);
      expect(await qmp.execute("query-vnc")).toMatchObject({ enabled: true });
      expect((await stat(files.variables)).mode & 0o777).toBe(0o600);
      await qmp.execute("stop");

      const child = layout.machine("0123456789ac");
      await mkdir(child.folder, { recursive: true });
      await captureForGood(
        { qmp, layout, files, statePath: child.state },
        new AbortController().signal,
      );
      await qmp.execute("quit").catch(() => undefined);
      expect(await waitForExit(live.handles, 5_000)).toBe(true);
      await execa("qemu-img", [
        ...["create", "-q", "-f", "qcow2", "-F", "qcow2"],
        ...["-b", files.disk, child.disk],
      ]);
      const fork = await launchMachine(
        {
          record: { ...record, id: "0123456789ac", name: "fork" },
          ...{ image, environment },
          from: {
            kind: "state",
            path: child.state,
            way: "fork",
            leases: live.handles.leases,
          },
        },
        deps,
      );
      owned(fork.handles);
      expect(fork.handles.leases).toBe(live.handles.leases);
      expect(await fork.qmp!.execute("query-status")).toMatchObject({
        running: false,
      });
      expect(await fork.qmp!.execute("query-tpm")).toHaveLength(1);
      const args = await readFile(
        `/proc/${String(fork.handles.pid)}/cmdline`,
        "utf8",
      );
      expect(args).toContain(record.macAddress);
      expect(args).toContain(`-${record.guestAddress}:22`);
      expect(args).toContain(child.variables);
      await access(child.tpm.stateFolder);
      await fork.qmp!.execute("quit").catch(() => undefined);
      await expect
        .poll(() => findSwtpm(layout.run), { timeout: 5_000 })
        .toEqual([]);
    });

    test("that is generalized has its seed as a CD, whose instance is its own (B1)", async () => {
      const seeded = { ...record, generalized: true } as const;
      await giveHostKey(seeded, layout);
      const live = await launchMachine(
        { record: seeded, image, environment, from: { kind: "cold" } },
        { layout, log: silentLog },
      );
      owned(live.handles);
      const drives = JSON.stringify(await live.qmp!.execute("query-block"));
      expect(drives).toContain(files.seed);
      expect(drives).toContain('"qdev":"answers0"');
      expect(await readFile(files.seed, "latin1")).toContain(record.instanceId);
      await live.qmp!.execute("quit").catch(() => undefined);
      expect(await waitForExit(live.handles, 5_000)).toBe(true);
    });

    test("of a QEMU that doesn't come no TPM stays behind", async () => {
      await expect(
        launchMachine(
          {
            ...{ record, image },
            environment: { ...environment, binary: "/bin/false" },
            from: { kind: "cold" },
          },
          { layout, log: silentLog },
        ),
      ).rejects.toMatchObject({ failure: { code: "machines.startFailed" } });
      expect(await findSwtpm(layout.run)).toEqual([]);
    });
  },
);
