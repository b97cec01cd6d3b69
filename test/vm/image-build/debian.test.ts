import { execa } from "execa";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makePrivateFolder } from "../../../src/base/files.ts";
import { createLog } from "../../../src/base/log.ts";
import { chooseAccelerator } from "../../../src/helper/host/accelerator.ts";
import { findTools, requireTool } from "../../../src/helper/host/tools.ts";
import {
  type BuiltImage,
  type DebianBuild,
  buildDebian,
} from "../../../src/helper/images/build/debian.ts";
import { readHostMirrors } from "../../../src/helper/images/build/mirrors.ts";
import { guestParts } from "../../../src/helper/images/catalog/recipes.ts";
import { imageFactsSchema } from "../../../src/helper/images/disks/facts.ts";
import {
  type PreparationMachine,
  bootForPreparation,
} from "../../../src/helper/images/prepare/preparationMachine.ts";
import { createOverlay } from "../../../src/helper/qemu/block.ts";
import { layoutOf } from "../../../src/helper/store/layout.ts";

const resources = join(import.meta.dirname, "../../../resources");
const guestResources = join(resources, "guest");
/** Kept between runs, where the golden image's build keeps them: packages are fetched once. */
const packageCache = join(
  process.env["GUESTHOUSE_IMAGE_CACHE"] ?? join(tmpdir(), "guesthouse-test"),
  "packages",
  "bookworm",
);

const missing: string[] = [];
for (const program of ["mmdebstrap", "qemu-img", "qemu-system-x86_64"])
  if ((await execa("which", [program], { reject: false })).exitCode !== 0)
    missing.push(program);
const reason =
  process.arch !== "x64"
    ? "only amd64 is tried"
    : missing.length > 0
      ? `needs ${missing.join(", ")}`
      : undefined;

describe.skipIf(reason !== undefined)(
  `Debian built from a package mirror${reason === undefined ? "" : `: skipped, ${reason}`}`,
  () => {
    let folder: string;
    let build: DebianBuild;
    const signal = new AbortController().signal;
    const run = (
      changes: Partial<DebianBuild>,
      within: AbortSignal = signal,
      lines: string[] = [],
    ): Promise<BuiltImage> =>
      buildDebian(
        { ...build, ...changes },
        () => undefined,
        (line) => lines.push(line),
        within,
      );

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "gh-build-"));
      build = {
        release: "bookworm",
        layers: [],
        arch: "amd64",
        mirrors: await readHostMirrors("bookworm"),
        parts: guestParts(resources),
        workDir: join(folder, "work"),
        packageCache,
      };
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    describe("failures leave nothing behind", () => {
      test("a mirror that can't be reached is named, with the remedy", async () => {
        const nowhere = "http://127.0.0.1:9/debian";
        const workDir = join(folder, "unreachable");
        await expect(
          run({
            workDir,
            mirrors: { archive: nowhere, security: nowhere, origin: "public" },
          }),
        ).rejects.toMatchObject({
          failure: {
            code: "images.buildFailed",
            message: expect.stringContaining("can't be reached"),
            remedy: expect.stringContaining("proxy"),
          },
        });
        expect(await readdir(workDir)).toEqual([]);
      });

      test("a cancelled build ends its programs and removes its files and mounts", async () => {
        const workDir = join(folder, "cancelled");
        const controller = new AbortController();
        const lines: string[] = [];
        const building = run({ workDir }, controller.signal, lines);
        const timer = setInterval(() => {
          // In the middle of it: /proc is mounted below the tree, dpkg runs.
          if (lines.some((line) => line.startsWith("Unpacking ")))
            controller.abort();
        }, 20);
        await expect(building).rejects.toMatchObject({
          failure: { kind: "cancelled" },
        });
        clearInterval(timer);
        expect(await readdir(workDir)).toEqual([]);
        expect(await readFile("/proc/self/mounts", "utf8")).not.toContain(
          workDir,
        );
        expect(await programsNaming(workDir)).toEqual([]);
      });
    });

    describe("the image", () => {
      let image: BuiltImage;
      let machine: PreparationMachine | undefined;
      const ask = async (command: string): Promise<string> => {
        const { code, stdout, stderr } = await machine!.session.exec(command);
        expect(code, `${command}: ${stderr}`).toBe(0);
        return stdout.trim();
      };

      beforeAll(async () => {
        image = await run({});
        const layout = layoutOf(join(folder, "home"));
        await makePrivateFolder(layout.home);
        const log = createLog(() => undefined);
        const binary = requireTool(
          await findTools("x86_64", signal),
          "qemuSystem",
        ).path;
        const diskPath = join(folder, "overlay.qcow2");
        await createOverlay(
          {
            path: diskPath,
            backingPath: image.diskPath,
            sizeBytes: 24 * 2 ** 30,
          },
          signal,
        );
        machine = await bootForPreparation(
          {
            name: "built",
            diskPath,
            architecture: "amd64",
            firmware: "bios",
            expectedBootSeconds: 10,
            defaultUser: "dev",
            workFolder: folder,
            directBoot: {
              kernel: image.kernelPath,
              initrd: image.initrdPath,
              arguments: image.kernelArguments,
            },
          },
          {
            layout,
            accelerator: () =>
              chooseAccelerator(
                { binary, arch: "x86_64", cachePath: layout.accelerator, log },
                signal,
              ),
            log,
          },
          () => undefined,
          signal,
        );
        await ask("sudo cloud-init status --wait");
      });
      afterAll(() => machine?.[Symbol.asyncDispose]());

      test("B11: has what a machine needs, by its facts", () => {
        expect(image.facts).toMatchObject({
          init: "systemd",
          sshd: { present: true, allowTcpForwarding: true },
          guestAgent: true,
          handoff: 1,
          cloudInit: { present: true, datasources: ["NoCloud", "None"] },
          networkOwners: ["systemd-networkd"],
          hostKeysPresent: false,
          machineIdEmpty: true,
          suspiciousTokens: [],
        });
        expect(image.facts.kernel.builtin).toContain("vmgenid");
        for (const module of [
          "virtio_blk",
          "virtio_net",
          "ext4",
          "9p",
          "isofs",
        ])
          expect(image.facts.kernel.modules).toContain(module);
        expect(image.packages.map(({ name }) => name)).toContain("rsync");
      });

      test("starts its kernel directly and is the one whose modules it has", async () => {
        expect(await ask("uname -r")).toBe(image.kernelVersion);
        expect(await ask("cat /proc/cmdline")).toBe(image.kernelArguments);
      });

      test("B28: nothing failed and nothing was waited for", async () => {
        expect(await ask("systemctl --failed --no-legend")).toBe("");
        expect(
          await ask(
            "sudo journalctl --boot --quiet --grep 'timed out' _PID=1 || true",
          ),
        ).toBe("");
      });

      test("B10: cloud-init is done, without errors, each stage once", async () => {
        const status = await ask("cat /run/cloud-init/result.json");
        expect(JSON.parse(status)).toMatchObject({ v1: { errors: [] } });
        const output = await ask("sudo cat /var/log/cloud-init-output.log");
        for (const stage of [
          "init-local",
          "init",
          "modules:config",
          "modules:final",
        ])
          expect(output.split(`running '${stage}'`).length - 1, stage).toBe(1);
      });

      test("B16: the file system fills a larger disk", async () => {
        // ext4's own tables take some of the 24 GiB.
        const sizeKiB = Number(await ask("df --output=size / | tail -1"));
        expect(sizeKiB / 2 ** 20).toBeGreaterThan(23);
      });

      test("B4: host keys, machine-id and host name are the clone's own", async () => {
        expect(await ask("cat /etc/machine-id")).toMatch(/^[0-9a-f]{32}$/);
        expect(await ask("hostname")).toBe("guesthouse-preparation");
        expect(await ask("getent hosts $(hostname)")).not.toBe("");
        expect(await ask("ls /etc/ssh/ssh_host_*_key")).toBe(
          "/etc/ssh/ssh_host_ed25519_key",
        );
      });

      test("agent runs, the network has a name server, apt has its mirror", async () => {
        expect(await ask("systemctl is-active qemu-guest-agent")).toBe(
          "active",
        );
        expect(await ask("cat /etc/resolv.conf")).toContain("nameserver");
        expect(await ask("cat /etc/apt/sources.list.d/*")).toContain(
          `${build.mirrors.archive} bookworm main`,
        );
        expect(await ask("grep -ri proxy /etc/apt || true")).toBe("");
      });

      test("the facts script says the same from inside", async () => {
        const script = await readFile(join(guestResources, "image-facts.sh"));
        const { stdout } = await machine!.session.exec("sudo sh -s /", {
          stdin: script,
        });
        expect(imageFactsSchema.parse(JSON.parse(stdout))).toEqual({
          ...image.facts,
          hostKeysPresent: true,
          machineIdEmpty: false,
        });
      });

      test("a root disk that isn't there is said on the console, not waited for in silence", async () => {
        const qemu = execa(
          requireTool(await findTools("x86_64", signal), "qemuSystem").path,
          [
            ...["-M", "q35", "-accel", "tcg", "-m", "512", "-nodefaults"],
            ...["-display", "none", "-serial", "stdio"],
            ...["-kernel", image.kernelPath, "-initrd", image.initrdPath],
            ...["-append", `${image.kernelArguments} rootwait=1`],
          ],
          { timeout: 120_000, reject: false, stdin: "ignore" },
        );
        // The initrd stays there on purpose, for whoever looks at the console.
        for await (const line of qemu)
          if (line.includes("guesthouse-initrd: kernel command line")) break;
        qemu.kill();
        const { stdout } = await qemu;
        expect(stdout).toMatch(
          /guesthouse-initrd: ERROR: root file system "LABEL=guesthouse-root" not found after 1 s/,
        );
      });
    });
  },
);

async function programsNaming(path: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (line.includes(path)) found.push(line.replaceAll("\0", " "));
  }
  return found;
}
