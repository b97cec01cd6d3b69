import { createHash, randomBytes } from "node:crypto";
import {
  access,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { allocatedBytes } from "../../../src/base/files.ts";
import { connectAgent } from "../../../src/helper/guests/agent/agent.ts";
import { isoVolume } from "../../../src/helper/guests/seed/iso9660.ts";
import { createOverlay } from "../../../src/helper/qemu/block.ts";
import { processUsage } from "../../../src/helper/qemu/process.ts";
import { swtpmProgram } from "../../../src/helper/qemu/swtpm.ts";
import {
  captureMachine,
  strategyFor,
} from "../../../src/helper/snapshots/capture.ts";
import { saveDevices } from "../../../src/helper/snapshots/saveDevices.ts";
import { type Layout, layoutOf } from "../../../src/helper/store/layout.ts";
import { missing as agentMissing } from "../guests/realAgent.ts";
import { answerCd } from "./standIn/answers.ts";
import { signedBoot, standInDisk } from "./standIn/disk.ts";
import {
  enrolledVariables,
  type ProfileMachine,
  startProfile,
} from "./standIn/machine.ts";
import {
  codeOf,
  debugRegister,
  definePlace,
  extendRegister,
  placeIn,
  readPlace,
  tpmLine,
  writePlace,
} from "./standIn/tpm.ts";

const missing = [
  ...(signedBoot === undefined ? ["Debian's signed boot files"] : []),
  ...(agentMissing === undefined ? [] : ["qemu-ga"]),
  ...((await swtpmProgram()) === undefined ? ["swtpm"] : []),
  ...(await access(enrolledVariables).then(
    () => [],
    () => ["OVMF for Secure Boot"],
  )),
];

// One boot for all of it: firmware, boot loader and kernel take half a minute under emulation.
describe.skipIf(missing.length > 0)(
  `Windows' profile, with Debian's signed kernel in Windows' place (skipped without ${missing.join(", ") || "its parts"})`,
  () => {
    let home: string;
    let layout: Layout;
    let answers: Buffer;
    let answerFile: Buffer;
    let one: ProfileMachine;
    let clone: ProfileMachine | undefined;
    const clones: ProfileMachine[] = [];
    const times: number[] = [];
    let bootMs: number;
    const place = randomBytes(8);
    const digest = randomBytes(32);
    /** What a register holds that was extended with `digest` once. */
    const extended = createHash("sha256")
      .update(Buffer.concat([Buffer.alloc(32), digest]))
      .digest("hex");

    beforeAll(async () => {
      home = await mkdtemp(join(tmpdir(), "gh-"));
      layout = layoutOf(home);
      const files = layout.machine("0123456789ab");
      for (const folder of [layout.run, layout.logs, files.folder])
        await mkdir(folder, { recursive: true, mode: 0o700 });
      ({ medium: answers, answerFile } = await answerCd());
      const cds = {
        answers: join(home, "answers.iso"),
        drivers: join(home, "drivers.iso"),
      };
      await writeFile(cds.answers, answers, { mode: 0o600 });
      await writeFile(
        cds.drivers,
        isoVolume("DRIVERS", [{ name: "readme.txt", content: "none\n" }]),
      );
      await standInDisk(signedBoot ?? "", home, files.disk);
      const startedAt = performance.now();
      one = await startProfile(files, {
        cds,
        memoryFile: { path: join(home, "memory"), shared: true },
      });
      await agentAnswers(one);
      bootMs = performance.now() - startedAt;
    }, bootTimeoutMs + 30_000);

    afterAll(async () => {
      for (const each of [...clones, clone]) await each?.end();
      // Absent when the boot itself failed.
      await (one as ProfileMachine | undefined)?.end();
      await rm(home, { recursive: true, force: true });
    });

    test("the firmware says that Secure Boot is on, and the kernel acts on it", async () => {
      // Four bytes of attributes precede the value.
      const variable = async (name: string): Promise<string | undefined> =>
        (
          await one.run(
            `cat /sys/firmware/efi/efivars/${name}-8be4df61-93ca-11d2-aa0d-00e098032b8c | od -An -v -tu1`,
          )
        ).split(/\s+/)[4];
      expect(await variable("SecureBoot")).toBe("1");
      expect(await variable("SetupMode")).toBe("0");
      expect(await one.run("cat /sys/kernel/security/lockdown")).toContain(
        "[integrity]",
      );
    });

    test("a TPM 2 is there, and the firmware has measured Secure Boot's keys into it", async () => {
      expect(await one.run("cat /sys/class/tpm/tpm0/tpm_version_major")).toBe(
        "2",
      );
      expect(await register(one, 7)).not.toMatch(/^0+$/);
    });

    test("every drive is at its port: disk, answer medium, drivers", async () => {
      expect(await driveAt(one, 0)).toBe("sda");
      for (const port of [2, 3])
        expect(await driveAt(one, port)).toMatch(/^sr\d$/);
    });

    test("the answer medium that arrives inside is ours to the last byte", async () => {
      const sha256 = (content: Buffer): string =>
        createHash("sha256").update(content).digest("hex");
      const drive = `/dev/${await driveAt(one, 2)}`;
      expect(await one.run(`sha256sum < ${drive}`)).toContain(sha256(answers));
      await one.run(`mount -t iso9660 -o ro ${drive} /mnt`);
      expect(await one.run("sha256sum < /mnt/autounattend.xml")).toContain(
        sha256(answerFile),
      );
      await one.run("umount /mnt");
    });

    test("the network card has a driver and, over it, an address", async () => {
      expect(
        await one.run("basename $(readlink /sys/class/net/eth0/device/driver)"),
      ).toBe("e1000e");
      const cards = await one.agent((agent) => agent.networkInterfaces());
      expect(cards.find(({ name }) => name === "eth0")).toMatchObject({
        macAddress: one.spec.macAddress,
        addresses: expect.arrayContaining(["10.0.2.32/24"]) as string[],
      });
    });

    test("the pointer is a tablet, and the generation id is told", async () => {
      expect(await one.run("cat /proc/bus/input/devices")).toContain(
        "QEMU USB Tablet",
      );
      expect(await one.run("ls /sys/bus/acpi/devices")).toMatch(/QEMUVGID/i);
    });

    test("a warm clone goes on where the machine was, with its own disk and TPM; the machine goes on, too", async () => {
      const { qemu, files } = one;
      expect(await register(one, debugRegister)).toMatch(/^0+$/);
      for (const hex of [
        definePlace(),
        writePlace(place),
        extendRegister(digest),
      ])
        expect(codeOf(await one.run(tpmLine(hex)))).toBe(0);
      expect(await register(one, debugRegister)).toBe(extended);
      const bootId = await one.run("cat /proc/sys/kernel/random/boot_id");
      const before = await counted(one);

      const { layer, stateBytes, pausedMs } = await captureMachine(
        {
          qmp: qemu.qmp,
          layout,
          files,
          statePath: join(home, "state"),
          strategy: strategyFor("tcg"),
        },
        AbortSignal.timeout(60_000),
      );
      const cloned = layout.machine("0123456789ac");
      await mkdir(cloned.folder, { mode: 0o700 });
      await createOverlay({
        path: cloned.disk,
        backingPath: layout.layer(layer),
      });
      const startedAt = performance.now();
      clone = await startProfile(cloned, {
        cds: one.spec.cds,
        statePath: join(home, "state"),
      });
      await clone.qemu.qmp.execute("cont");
      await agentAnswers(clone);
      const resumeMs = performance.now() - startedAt;

      expect(await clone.run("cat /proc/sys/kernel/random/boot_id")).toBe(
        bootId,
      );
      await countsOn(clone, before);
      expect(await register(clone, debugRegister)).toBe(extended);
      expect(placeIn(await clone.run(tpmLine(readPlace())))).toBe(
        place.toString("hex"),
      );
      // Each has a TPM of its own from here on.
      expect(codeOf(await clone.run(tpmLine(extendRegister(digest))))).toBe(0);
      expect(await register(clone, debugRegister)).not.toBe(extended);
      expect(await register(one, debugRegister)).toBe(extended);
      await countsOn(one, before);
      // Both cards carry: what the drive answers is read anew, the network asks for its lease again.
      for (const each of [one, clone])
        await each.run("udhcpc -n -q -f -i eth0 -s /bin/true");

      expect(resumeMs).toBeLessThan(bootMs);
      const figures = {
        bootMs: Math.round(bootMs),
        resumeMs: Math.round(resumeMs),
        timesFaster: Number((bootMs / resumeMs).toFixed(1)),
        parentPausedMs: Math.round(pausedMs),
        stateMiB: mebibytes(stateBytes),
        memoryMiB: one.spec.memoryMiB,
        parentDiskMiB: mebibytes(await allocatedBytes(layout.layer(layer))),
        cloneDiskMiB: mebibytes(await allocatedBytes(cloned.disk)),
      };
      process.stdout.write(
        `warm clone of Windows' profile: ${JSON.stringify(figures)}\n`,
      );
    });

    test("its variables came with the state: the clone's firmware knows what the machine's wrote", async () => {
      const variablesOf = ({ spec }: ProfileMachine): Promise<Buffer> =>
        readFile(spec.firmware.variablesPath);
      expect(clone).toBeDefined();
      if (clone === undefined) return;
      expect((await variablesOf(clone)).equals(await variablesOf(one))).toBe(
        true,
      );
    });

    test("as a template, its clones map its memory and need no copy of it; each has its own disk and TPM", async () => {
      const bootId = await one.run("cat /proc/sys/kernel/random/boot_id");
      const statePath = join(home, "devices");
      const { qmp } = one.qemu;
      await qmp.execute("stop");
      await saveDevices(
        qmp,
        { file: statePath, socket: one.files.captureSocket },
        AbortSignal.timeout(60_000),
      );
      const wholeBytes = (await processUsage(one.qemu.pid))?.memoryBytes ?? 0;
      await one.end();
      for (const id of ["0123456789ad", "0123456789ae"]) {
        const files = layout.machine(id);
        await mkdir(files.folder, { mode: 0o700 });
        await createOverlay({ path: files.disk, backingPath: one.files.disk });
        const startedAt = performance.now();
        const another = await startProfile(files, {
          cds: one.spec.cds,
          memoryFile: { path: join(home, "memory"), shared: false },
          statePath,
        });
        clones.push(another);
        await another.qemu.qmp.execute("cont");
        await agentAnswers(another);
        times.push(Math.round(performance.now() - startedAt));
      }
      for (const each of clones) {
        expect(await each.run("cat /proc/sys/kernel/random/boot_id")).toBe(
          bootId,
        );
        expect(await register(each, debugRegister)).toBe(extended);
        expect(placeIn(await each.run(tpmLine(readPlace())))).toBe(
          place.toString("hex"),
        );
        await countsOn(each, await counted(each));
        await each.run("udhcpc -n -q -f -i eth0 -s /bin/true");
      }
      const [first, second] = clones;
      if (first === undefined || second === undefined) throw new Error();
      expect(codeOf(await first.run(tpmLine(extendRegister(digest))))).toBe(0);
      expect(await register(first, debugRegister)).not.toBe(extended);
      expect(await register(second, debugRegister)).toBe(extended);

      const figures = {
        bootMs: Math.round(bootMs),
        cloneMs: times,
        stateMiB: mebibytes((await stat(statePath)).size),
        templateMiB: mebibytes(await allocatedBytes(join(home, "memory"))),
        bootedMemoryMiB: mebibytes(wholeBytes),
        cloneMemoryMiB: mebibytes(
          (await processUsage(second.qemu.pid))?.memoryBytes ?? 0,
        ),
        cloneDiskMiB: mebibytes(await allocatedBytes(second.files.disk)),
      };
      process.stdout.write(
        `clones of Windows' profile as a template: ${JSON.stringify(figures)}\n`,
      );
    });
  },
);

/** Several times what an idle computer needs without a hypervisor. */
const bootTimeoutMs = 270_000;

const mebibytes = (bytes: number): number =>
  Number((bytes / 1024 ** 2).toFixed(1));

const register = async (
  machine: ProfileMachine,
  number: number,
): Promise<string> =>
  (
    await machine.run(`cat /sys/class/tpm/tpm0/pcr-sha256/${String(number)}`)
  ).toLowerCase();

/** What hangs at a port of the AHCI controller, by the guest's name for it. */
const driveAt = (machine: ProfileMachine, port: number): Promise<string> =>
  machine.run(
    `basename /sys/devices/pci*/*/ata${String(port + 1)}/host*/target*/*/block/*`,
  );

/** How far the guest has counted. */
const counted = async (machine: ProfileMachine): Promise<number> =>
  Number(await machine.run("cat /run/count"));

async function countsOn(machine: ProfileMachine, from: number): Promise<void> {
  const deadlineMs = Date.now() + 20_000;
  while ((await counted(machine)) <= from)
    if (Date.now() > deadlineMs) throw new Error("the guest stands still");
}

/** Waits until the agent answers; says what the console showed last when it doesn't. */
async function agentAnswers({ files, qemu }: ProfileMachine): Promise<void> {
  const deadlineMs = Date.now() + bootTimeoutMs;
  for (;;) {
    try {
      const agent = await connectAgent(files.agentSocket, { timeoutMs: 2_000 });
      agent.close();
      return;
    } catch (error) {
      if (Date.now() < deadlineMs) continue;
      const status = JSON.stringify(await qemu.qmp.execute("query-status"));
      const console = (await readFile(files.log, "latin1")).slice(-2_000);
      throw new Error(`${status}\n${console}`, { cause: error });
    }
  }
}
