import { execa } from "execa";
import { access, copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { connectQmp } from "../../../src/helper/qemu/qmp.ts";
import { windowsQemuArguments } from "../../../src/helper/qemu/windowsCommandLine.ts";
import { windowsSpec } from "../../fakes/windowsSpec.ts";
import { qemuBinary, scratchFolder } from "./workbench.ts";

const variables = "/usr/share/OVMF/OVMF_VARS_4M.ms.fd";
const missing = (
  await Promise.all([
    access(variables).then(
      () => [],
      () => ["OVMF for Secure Boot"],
    ),
    execa("swtpm", ["--version"], { reject: false }).then(({ exitCode }) =>
      exitCode === 0 ? [] : ["swtpm"],
    ),
  ])
).flat();

test.skipIf(missing.length > 0)(
  `QEMU takes the profile of Windows: TPM, firmware, drives, tablet, screen (skipped without ${missing.join(", ") || "OVMF and swtpm"})`,
  async () => {
    const folder = await scratchFolder();
    const spec = windowsSpec(folder, {
      tpmSocket: join(folder, "tpm"),
      stopped: true,
    });
    await copyFile(variables, spec.firmware.variablesPath);
    for (const path of [spec.diskPath, spec.cds.installer?.path ?? ""])
      await execa("qemu-img", ["create", "-q", "-f", "qcow2", path, "64M"]);
    for (const path of [spec.cds.answers ?? "", spec.cds.drivers ?? ""])
      await writeFile(path, Buffer.alloc(2048 * 64));
    // It ends by itself when QEMU lets go of it.
    const tpm = execa("swtpm", [
      ...["socket", "--tpm2", "--terminate", "--tpmstate", `dir=${folder}`],
      ...["--ctrl", `type=unixio,path=${spec.tpmSocket ?? ""}`],
    ]);
    await appears(spec.tpmSocket ?? "");
    const qemu = execa(await qemuBinary(), windowsQemuArguments(spec), {
      reject: false,
    });
    try {
      await Promise.race([
        appears(spec.qmpSocket),
        qemu.then(({ stderr }) => {
          throw new Error(stderr);
        }),
      ]);
      const qmp = await connectQmp(spec.qmpSocket, { timeoutMs: 10_000 });
      const ask = (command: string, args: Record<string, unknown> = {}) =>
        qmp.execute(command, args);
      expect(await ask("query-tpm")).toMatchObject([
        { model: "tpm-tis", options: { type: "emulator" } },
      ]);
      expect(await ask("query-status")).toMatchObject({ running: false });
      const blocks = (await ask("query-block")) as {
        qdev?: string;
        inserted?: { "node-name"?: string; ro: boolean };
      }[];
      expect(
        blocks
          .filter(({ qdev }) => qdev !== undefined)
          .map(({ inserted }) => [inserted?.["node-name"], inserted?.ro]),
      ).toEqual(
        expect.arrayContaining([
          ["disk", false],
          ["installer", true],
          ["answers", true],
          ["drivers", true],
        ]),
      );
      expect(await ask("query-mice")).toMatchObject(
        expect.arrayContaining([
          expect.objectContaining({ absolute: true }) as unknown,
        ]) as unknown[],
      );
      expect(await ask("query-vnc")).toMatchObject({
        enabled: true,
        family: "unix",
      });
      expect(await ask("qom-get", { path: "/machine", property: "smm" })).toBe(
        "on",
      );
      // Refused where a device can't be migrated.
      expect(await ask("query-migrate")).not.toHaveProperty("blocked-reasons");
      await ask("quit");
      await qemu;
      await tpm;
    } finally {
      qemu.kill("SIGKILL");
      tpm.kill("SIGKILL");
    }
  },
);

async function appears(path: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    try {
      await access(path);
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error(`${path} did not appear`);
}
