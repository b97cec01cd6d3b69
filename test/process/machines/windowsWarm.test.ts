import { access, mkdir, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { withAgent } from "../../../src/helper/guests/agent.ts";
import { secureBootFirmware } from "../../../src/helper/images/firmware.ts";
import type { GoldenImage } from "../../../src/helper/images/goldenImage.ts";
import {
  createMachine,
  type CreateDeps,
  shapeFor,
} from "../../../src/helper/machines/create.ts";
import type { Entry, Live } from "../../../src/helper/machines/entry.ts";
import type { Environment } from "../../../src/helper/machines/environment.ts";
import { launchMachine } from "../../../src/helper/machines/launch.ts";
import { makeTemplate } from "../../../src/helper/machines/makeTemplate.ts";
import { MachineRegistry } from "../../../src/helper/machines/registry.ts";
import { resumeGuest } from "../../../src/helper/machines/resume.ts";
import { windowsSharedArguments } from "../../../src/helper/machines/windowsArguments.ts";
import {
  endProcess,
  findQemu,
  waitForExit,
} from "../../../src/helper/qemu/process.ts";
import { findSwtpm, swtpmProgram } from "../../../src/helper/qemu/swtpm.ts";
import {
  type TemplateRecord,
  Templates,
} from "../../../src/helper/snapshots/templates.ts";
import { type Layout, layoutOf } from "../../../src/helper/store/layout.ts";
import { missing as agentMissing } from "../guests/realAgent.ts";
import { signedBoot, standInDisk } from "../qemu/standIn/disk.ts";
import { emulation } from "./bareImage.ts";

const missing = [
  ...(signedBoot === undefined ? ["Debian's signed boot files"] : []),
  ...(agentMissing === undefined ? [] : ["qemu-ga"]),
  ...((await swtpmProgram()) === undefined ? ["swtpm"] : []),
  ...(await secureBootFirmware().then(
    () => [],
    () => ["OVMF for Secure Boot"],
  )),
];

/**
 * QEMU's own agent with what Windows' may lack forbidden, and a program in PowerShell's place: it keeps the host key that it
 * is told, and answers as `become` of guests/windowsIdentity.ts does.
 */
const init = String.raw`#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
cat /proc/sys/kernel/random/uuid > /run/boot
while read module; do insmod /modules/$module; done < /modules/order
cat > /bin/powershell.exe <<'END'
#!/bin/busybox sh
input=$(cat)
case "$input" in
*Write-VolumeCache*) echo settled > /run/settled ;;
*ssh_host_ed25519_key*)
  case "$input" in *'"hostKey":{'*) printf '%s' "$input" > /run/told ;; esac
  echo '{"failed":[],"sshd":true}' ;;
esac
END
chmod 755 /bin/powershell.exe
port=
until [ -n "$port" ]; do
  for each in /sys/class/virtio-ports/*; do
    if [ "$(cat $each/name)" = org.qemu.guest_agent.0 ]; then port=/dev/${"$"}{each##*/}; fi
  done
  sleep 0.1
done
while :; do
  qemu-ga -m virtio-serial -p $port -t /run -f /run/qemu-ga.pid -b guest-get-osinfo,guest-set-time,guest-ssh-add-authorized-keys
  sleep 1
done
`;

const never = new AbortController().signal;

// One boot for all of it: firmware, boot loader and kernel take half a minute under emulation.
describe.skipIf(missing.length > 0)(
  `warm clones of a Windows image, with Debian's signed kernel in Windows' place (skipped without ${missing.join(", ") || "its parts"})`,
  () => {
    let home: string;
    let layout: Layout;
    let environment: Environment;
    let image: GoldenImage;
    let templates: Templates;
    let template: TemplateRecord;
    const stages: string[] = [];
    const lives: Live[] = [];

    const wish = { cpus: 1, memoryMiB: 512, diskGiB: 1 } as const;

    beforeAll(async () => {
      home = await mkdtemp(join(tmpdir(), "gh-"));
      layout = layoutOf(home);
      const disk = join(home, "golden.qcow2");
      await standInDisk(signedBoot ?? "", home, disk, init);
      for (const folder of [layout.run, layout.logs, layout.machines])
        await mkdir(folder, { recursive: true, mode: 0o700 });
      environment = await emulation();
      image = {
        ...{ name: "office", digest: "sha256:0", architecture: "amd64" },
        ...{ os: "windows", defaultUser: "dev", directBoot: false },
        virtualSizeBytes: 64 * 1024 ** 2,
        expectedBootSeconds: 20,
        files: { ...layout.image("sha256:0"), disk },
      };
      const events = { changed: () => undefined, removed: () => undefined };
      templates = new Templates(layout, events, silentLog);
      await templates.load();
      template = await makeTemplate(
        {
          ...{ id: "0123456789abcdef", image, environment, layout },
          shape: shapeFor(wish, image),
          log: silentLog,
          onStage: (stage) => stages.push(stage),
        },
        never,
      );
      await templates.commit(template);
    }, 300_000);

    afterAll(async () => {
      for (const { qmp } of lives) qmp?.close();
      for (const qemu of await findQemu(`path=${layout.run}/`)) {
        await endProcess(qemu, "SIGKILL");
        await waitForExit(qemu, 10_000);
      }
      await rm(home, { recursive: true, force: true });
    });

    const clone = async (name: string): Promise<[Entry, Live]> => {
      const events = { changed: () => undefined, removed: () => undefined };
      const registry = new MachineRegistry(layout, events);
      const deps = {
        ...{ layout, registry, templates, log: silentLog },
        warm: { find: () => Promise.resolve(template) },
        images: {
          obtain: () => Promise.resolve(image),
          usersChanged: () => Promise.resolve(),
        },
      } as unknown as CreateDeps;
      const entry = await createMachine({ name, ...wish }, deps, never);
      const live = await launchMachine(
        entry.record,
        image,
        environment,
        { layout, log: silentLog },
        {
          kind: "template",
          files: templates.files(template.id),
          network: template.network,
        },
      );
      lives.push(live);
      entry.live = live;
      const resumed = await resumeGuest(
        entry,
        live,
        {
          ...{ layout, registry, log: silentLog },
          expectedBootSeconds: () => Promise.resolve(20),
        },
        never,
      );
      expect(resumed).toEqual({ kind: "ready" });
      return [entry, live];
    };
    const inside = ({ record }: Entry, line: string): Promise<string> =>
      withAgent(
        layout.machine(record.id).agentSocket,
        { timeoutMs: 20_000, tries: 3 },
        async (agent) => (await agent.exec(["sh", "-c", line])).stdout.trim(),
      );

    test("a template is its memory, its devices, its disk and the firmware's variables; nothing of it runs on", async () => {
      expect(stages).toEqual(["boot", "settle", "save"]);
      expect(template.card?.macAddress).toMatch(/^52:54:00:/);
      const { folder, memory, state, variables } = templates.files(template.id);
      for (const path of [memory, state, variables]) await access(path);
      expect((await stat(variables)).mode & 0o077).toBe(0);
      await expect(access(join(folder, "tpm"))).rejects.toThrow();
      expect(await findQemu(`path=${layout.run}/`)).toEqual([]);
      await expect
        .poll(() => findSwtpm(`${layout.run}/`), { timeout: 5_000 })
        .toEqual([]);
    });

    test("B4: two clones go on from it with host keys of their own and the card that they know", async () => {
      const clones = [await clone("one"), await clone("two")] as const;
      const boots = new Set<string>();
      const keys = new Set<string>();
      for (const [entry, live] of clones) {
        const { record } = entry;
        const files = layout.machine(record.id);
        expect(await inside(entry, "cat /run/settled")).toBe("settled");
        boots.add(await inside(entry, "cat /run/boot"));
        const told = JSON.parse(await inside(entry, "cat /run/told")) as {
          values: { hostKey: { private: string; public: string } };
        };
        const { hostKey } = told.values;
        expect(hostKey.public).toBe(record.hostPublicKey);
        expect(hostKey.private).toBe(await readFile(files.hostKey, "utf8"));
        keys.add(hostKey.private);
        expect(record).toMatchObject({
          os: "windows",
          ...template.card,
          resumeFrom: { kind: "template", id: template.id },
        });
        expect(await inside(entry, "cat /sys/class/net/eth0/address")).toBe(
          template.card?.macAddress,
        );
        expect(await live.qmp?.execute("query-tpm")).toHaveLength(1);
        expect(await inside(entry, "ls /sys/class/tpm")).toBe("tpm0");
      }
      expect(boots.size).toBe(1);
      expect(keys.size).toBe(2);
      const [[one], [two]] = clones;
      expect(one.record.vmGenerationId).not.toBe(two.record.vmGenerationId);
      expect(layout.machine(one.record.id).variables).not.toBe(
        layout.machine(two.record.id).variables,
      );
    });

    test("what it fits by is the machine's own profile, with the firmware's code", async () => {
      const args = await windowsSharedArguments(
        { cpus: 1, memoryMiB: 512 },
        environment,
      );
      expect(args[0]).toContain((await secureBootFirmware()).codePath);
      expect(args.join(" ")).toContain("tpm-tis");
      expect(args.join(" ")).not.toContain(home);
      expect(shapeFor({}, image)).toMatchObject({
        screen: true,
        memoryMiB: 4096,
      });
    });
  },
);
