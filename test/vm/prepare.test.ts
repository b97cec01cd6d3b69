import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLog } from "../../src/base/log.ts";
import { makePrivateFolder } from "../../src/base/files.ts";
import { chooseAccelerator } from "../../src/helper/host/accelerator.ts";
import { findTools, requireTool } from "../../src/helper/host/tools.ts";
import { type Images, createImages } from "../../src/helper/images/images.ts";
import { bootForPreparation } from "../../src/helper/images/prepare/preparationMachine.ts";
import { createOverlay } from "../../src/helper/qemu/block.ts";
import { layoutOf } from "../../src/helper/store/layout.ts";
import type { Accelerator } from "../../src/protocol/host.ts";
import { cachedStockDisk } from "./stockDisk.ts";

const needed = ["mmdebstrap", "syslinux", "mcopy", "mkfs.vfat", "sfdisk"];
const missing: string[] = [];
for (const program of needed)
  if ((await execa("which", [program], { reject: false })).exitCode !== 0)
    missing.push(program);
const reason =
  process.getuid?.() !== 0
    ? "making a stock disk needs root"
    : missing.length > 0
      ? `making a stock disk needs ${missing.join(", ")}`
      : process.arch !== "x64"
        ? "the stock disk is for amd64"
        : undefined;

describe.skipIf(reason !== undefined)(
  `a stock cloud image is prepared (B1, B4, B11)${reason === undefined ? "" : `: skipped, ${reason}`}`,
  () => {
    let folder: string;
    let images: Images;
    const signal = new AbortController().signal;
    const log = createLog(() => undefined);
    const stages: string[] = [];
    let accelerator: () => Promise<Accelerator>;

    let stock: string;

    beforeAll(async () => {
      stock = await cachedStockDisk();
      folder = await mkdtemp(join(tmpdir(), "gh-prepare-"));
      const layout = layoutOf(join(folder, "home"));
      await makePrivateFolder(layout.home);
      const binary = requireTool(
        await findTools("x86_64", signal),
        "qemuSystem",
      ).path;
      accelerator = () =>
        chooseAccelerator(
          { binary, arch: "x86_64", cachePath: layout.accelerator, log },
          signal,
        );
      images = await createImages({
        layout,
        resources: join(import.meta.dirname, "../../resources"),
        architecture: "amd64",
        log,
        usedBy: () => [],
        accelerator,
        onChanged: ({ state }) => {
          const line =
            state.kind === "working"
              ? `${state.stage} ${state.detail ?? ""}`.trim()
              : state.kind;
          if (stages.at(-1) !== line) stages.push(line);
        },
        onRemoved: () => undefined,
      });
    });
    afterAll(async () => {
      await images.close();
      await rm(folder, { recursive: true, force: true });
    });

    test("from a disk with boot loader and without guest agent to a golden image", async () => {
      const image = await images.importFile({
        path: stock,
        name: "stock",
        user: "debian",
      });
      expect(image.state.kind).toBe("ready");
      expect(image.directBoot).toBe(true);
      const outcomes = Object.fromEntries(
        (image.report?.checks ?? []).map(({ id, outcome }) => [id, outcome]),
      );
      expect(Object.values(outcomes)).not.toContain("error");
      expect(outcomes).toMatchObject({
        guestAgent: "ok",
        "guest.handoff": "ok",
        "cloudInit.sources": "ok",
        "ssh.forwarding": "ok",
        "identity.machineId": "ok",
        "identity.hostKeys": "ok",
        "network.owner": "ok",
      });
      expect(stages).toContain("prepare installing what is missing");
      expect(stages).toContain("prepare starting it as a clone would");
      expect(stages.at(-1)).toBe("ready");
    });

    test("whose clone has its own identity, and no trace of the preparation (B1, B4)", async () => {
      const golden = await images.resolve("stock");
      const layout = layoutOf(join(folder, "home"));
      const workFolder = join(folder, "clone");
      await makePrivateFolder(workFolder);
      const diskPath = join(workFolder, "disk.qcow2");
      await createOverlay({ path: diskPath, backingPath: golden.files.disk });
      expect((await stat(diskPath)).blocks * 512).toBeLessThan(2 ** 20);
      await using clone = await bootForPreparation(
        {
          name: "clone",
          diskPath,
          architecture: "amd64",
          firmware: "bios",
          expectedBootSeconds: 40,
          defaultUser: "dev",
          workFolder,
          directBoot: {
            kernel: golden.files.kernel,
            initrd: golden.files.initrd,
            arguments: golden.kernelArguments ?? "",
          },
        },
        { layout, accelerator, log },
        () => undefined,
        signal,
      );
      const run = async (command: string): Promise<string> => {
        const { code, stdout, stderr } = await clone.session.exec(command);
        return code === 0 ? stdout.trim() : `code ${String(code)}: ${stderr}`;
      };
      expect(await run("whoami")).toBe("dev");
      expect(await run("id debian")).toMatch(/^code 1/);
      expect(await run("hostname")).toBe("guesthouse-preparation");
      expect(await run("cat /etc/machine-id")).toMatch(/^[0-9a-f]{32}$/);
      expect(await run("ls /etc/ssh/ssh_host_*_key")).toBe(
        "/etc/ssh/ssh_host_ed25519_key",
      );
      expect(await run("sudo ls /var/lib/cloud/instances")).toMatch(
        /^prepare-[0-9a-f]+$/,
      );
      expect(
        await run("systemctl is-active qemu-guest-agent systemd-networkd"),
      ).toBe("active\nactive");
      expect(await run("sudo ls /tmp | grep guesthouse-")).toMatch(/^code 1/);
      // The root grew with the disk.
      expect(
        Number(await run("df --output=size -m / | tail -1")),
      ).toBeGreaterThan(2000);
    });
  },
);
