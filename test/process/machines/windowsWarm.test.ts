import { shapeFor } from "../../../src/helper/machines/roster/shape.ts";
import { access, mkdir, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { withAgent } from "../../../src/helper/guests/agent/agent.ts";
import { secureBootFirmware } from "../../../src/helper/images/disks/firmware.ts";
import type { GoldenImage } from "../../../src/helper/images/golden/goldenImage.ts";
import {
  createMachine,
  type CreateDeps,
} from "../../../src/helper/machines/create.ts";
import type { Entry, Live } from "../../../src/helper/machines/roster/entry.ts";
import type { Environment } from "../../../src/helper/machines/boot/environment.ts";
import { launchMachine } from "../../../src/helper/machines/boot/launch.ts";
import { makeTemplate } from "../../../src/helper/machines/warm/makeTemplate.ts";
import { MachineRegistry } from "../../../src/helper/machines/roster/registry.ts";
import { resumeGuest } from "../../../src/helper/machines/saved/resume.ts";
import { windowsSharedArguments } from "../../../src/helper/machines/boot/windowsArguments.ts";
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
import {
  addAccount,
  readText,
  type WindowsGuest,
  windowsGuest,
} from "../../fakes/windows/guest.ts";
import { play } from "../../fakes/windows/play.ts";
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
 * QEMU's own agent with what Windows' may lack forbidden, and a program in PowerShell's place. It notes what it is called with,
 * reads none of it, and gives every call the answer of a guest that could do all of it. What the calls do is played on a Windows
 * beside the test (`playedOf`), which must give the same answer: no interpreter fits into this guest.
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
{ echo "$*"; cat; } >> /run/calls
echo '{"failed":[],"sshd":true}'
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
        {
          ...{ record: entry.record, image, environment },
          from: {
            kind: "template",
            files: templates.files(template.id),
            network: template.network,
          },
        },
        { layout, log: silentLog },
      );
      lives.push(live);
      registry.attach(entry, live, entry.state);
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

    /** What the calls of a clone, and before them those of its template, make of a Windows as its image leaves it. */
    const playedOf = async (entry: Entry): Promise<WindowsGuest> => {
      const windows = windowsGuest(join(home, `drives-${entry.record.id}`));
      addAccount(windows, "dev", true);
      const lines = (await inside(entry, "cat /run/calls")).split("\n");
      for (let at = 0; at < lines.length; at += 2) {
        const args = lines[at]?.split(" ") ?? [];
        const { code, stdout, stderr } = play(windows, args, lines[at + 1]);
        expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
        if (stdout !== "")
          expect(JSON.parse(stdout)).toEqual({ failed: [], sshd: true });
      }
      return windows;
    };

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
      const startedAtMs = Date.now() - 1;
      const clones = [await clone("one"), await clone("two")] as const;
      const boots = new Set<string>();
      const keys = new Set<string>();
      for (const [entry, live] of clones) {
        const { record } = entry;
        const files = layout.machine(record.id);
        const windows = await playedOf(entry);
        // Once, by the template before it was saved.
        expect(windows.flushed).toEqual(["C"]);
        boots.add(await inside(entry, "cat /run/boot"));
        expect(windows.shownHostKey).toBe(record.hostPublicKey);
        const key = String.raw`C:\ProgramData\ssh\ssh_host_ed25519_key`;
        const hostKey = readText(windows, key);
        expect(hostKey).toBe(await readFile(files.hostKey, "utf8"));
        expect(windows.clock?.getTime()).toBeGreaterThan(startedAtMs);
        keys.add(hostKey);
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
