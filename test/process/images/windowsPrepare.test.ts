import { execa } from "execa";
import {
  access,
  mkdtemp,
  readdir,
  readFile,
  rm,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isoVolume } from "../../../src/helper/guests/seed/iso9660.ts";
import { readInstall } from "../../../src/helper/images/windows/install/record.ts";
import { findQemu } from "../../../src/helper/qemu/process.ts";
import { signedBoot } from "../qemu/standIn/disk.ts";
import { openSsh } from "./windowsHouse.ts";
import { makePlayer, missingForPlay, type Player } from "./windowsPlayer.ts";
import { windowsStage } from "./windowsStage.ts";

const missing = await missingForPlay();

const name = "office";

describe.skipIf(missing.length > 0)(
  `preparing a disk that came with Windows, played by Debian's kernel and QEMU's agent (skipped without ${missing.join(", ") || "its parts"})`,
  () => {
    let workshop: string;
    let player: Player;
    let disk: string;
    let drivers: string;
    let packageFile: string;
    const stage = windowsStage();
    const { direct, hear, nothingLeft, open, stages } = stage;

    beforeAll(async () => {
      workshop = await mkdtemp(join(tmpdir(), "gh-win-"));
      player = await makePlayer(signedBoot ?? "", workshop);
      const raw = join(workshop, "disk.raw");
      disk = join(workshop, "Office.vhdx");
      await writeFile(raw, Buffer.alloc(64 * 2 ** 20));
      await execa("qemu-img", ["convert", "-O", "vhdx", raw, disk]);
      drivers = join(workshop, "drivers.iso");
      await writeFile(
        drivers,
        isoVolume("DRIVERS", [{ name: "readme.txt", content: "none\n" }]),
      );
      packageFile = join(workshop, "OpenSSH.msi");
      await writeFile(packageFile, openSsh);
    });
    afterAll(() => rm(workshop, { recursive: true, force: true }));

    const scene = (play: string) =>
      stage.scene(player, play, {
        ...{ disk, drivers, name, openSsh: packageFile, user: "ada" },
      });

    test("one step is mended; another helper goes on and begins nothing again; the user's disk stays as it is", async () => {
      const before = await readFile(disk);
      const spec = await scene(`case "$(stage)" in
"") grow 1 16; stand started; agent; begun
   install sshd-config; verify $all; say firewall Verify false 'It is off.'; stand verified
   put round 1; say firewall Remediate true; stand remediated; restart 2 ;;
2) again; agent; put round 1; verify $all; ready ;;
esac`);
      const images = await open(spec);
      const prepared = images.installs.prepare(spec.wish);
      prepared.catch(() => undefined);
      let director = await direct(spec);
      await Promise.race([director.stands("started"), prepared]);
      await hear("start");
      director.go();
      await Promise.race([director.stands("verified"), prepared]);
      await hear("verification", "18 of 18 steps verified");
      director.go();
      await Promise.race([director.stands("remediated"), prepared]);
      await hear("remediation", "round 1 of 3 (firewall)");
      director.close();

      // The helper ends, and the machine runs on.
      await images.close();
      await expect(prepared).rejects.toHaveProperty(
        "failure.kind",
        "cancelled",
      );
      expect(await findQemu(`path=${director.files.qmpSocket}`)).toHaveLength(
        1,
      );
      const next = await open(spec);
      await next.installs.goOn();
      const joined = next.installs.prepare(spec.wish);
      joined.catch(() => undefined);
      director = await direct(spec);
      director.go();
      await joined;
      const image = await next.show(name);
      expect(image).toMatchObject({
        state: { kind: "ready" },
        os: "windows",
        defaultUser: "ada",
        source: { kind: "imported", path: disk, format: "vhdx" },
        report: { usable: true },
      });
      expect(image.source).toHaveProperty("manifest");
      const outcomes = new Map(
        image.report?.checks.map(({ id, outcome }) => [id, outcome]),
      );
      expect(outcomes.get("windows.firewall")).toBe("ok");
      expect(outcomes.get("windows.language")).toBe("notApplicable");
      const golden = await next.resolve(name);
      await access(golden.files.variables);
      expect(stages()).toEqual(
        expect.arrayContaining(["convert", "firmware", "start", "pack"]),
      );
      expect(stages()).not.toContain("setup");
      expect((await readFile(disk)).equals(before)).toBe(true);
      await nothingLeft();
    });

    test("a step that can't be mended is told, by name and reason", async () => {
      const spec = await scene(`grow 1 16; agent; begun; verify $all
say disk-layout Verify false 'The disk is MBR and not GPT.'
put round 3; put setup.log 'given up'; put failed.json '{"failed":["disk-layout"]}'`);
      const images = await open(spec);
      await expect(images.installs.prepare(spec.wish)).rejects.toMatchObject({
        failure: {
          code: "images.buildFailed",
          message: expect.stringMatching(
            /^Windows runs, but a step couldn't be mended.*MBR and not GPT/,
          ) as string,
          remedy: expect.stringContaining(`install-${name}.png`) as string,
        },
      });
      const files = stage.layout.install(name, "");
      const log = await readFile(files.log, "utf8");
      expect(log).toContain("given up");
      expect(log.match(/the steps are begun/g)).toHaveLength(1);
      expect(await readdir(files.folder)).toEqual(["install.json"]);
      await images.remove(name);
      await nothingLeft();
    });

    test("no agent: told with what to do about it, and the same disk can be imported as it is", async () => {
      const spec = {
        ...(await scene("grow 1 16; stand mute")),
        reachMs: 6_000,
      };
      const images = await open(spec);
      // The port is QEMU's, and nobody identifies himself there.
      const login = { passwordFile: packageFile };
      await expect(
        images.installs.prepare({ ...spec.wish, login }),
      ).rejects.toMatchObject({
        failure: {
          message: expect.stringContaining(
            "Nobody inside answered within 6 s: no guest agent",
          ) as string,
          remedy: expect.stringMatching(
            /Install QEMU's guest agent .* image import --os windows/,
          ) as string,
        },
      });
      expect((await readInstall(stage.layout, name))?.phase).toBe("failed");
      await images.importFile({ path: disk, name, os: "windows", user: "ada" });
      const image = await images.show(name);
      expect(image).toMatchObject({ state: { kind: "ready" } });
      expect(image.source).not.toHaveProperty("manifest");
      expect(image.report?.checks).toMatchObject([
        { id: "windows.prepared", outcome: "warning" },
      ]);
      await nothingLeft();
    });

    test("an agent that refuses to run anything: its own words", async () => {
      const spec = {
        ...(await scene(
          `grow 1 16; printf '#!/bin/busybox sh\\necho "by policy" >&2; exit 3\\n' > /bin/powershell.exe; agent; stand firm`,
        )),
        // Firmware and kernel have to start within it, beside other guests.
        reachMs: 30_000,
      };
      const images = await open(spec);
      await expect(images.installs.prepare(spec.wish)).rejects.toHaveProperty(
        "failure.message",
        "The steps couldn't be begun within 30 s: by policy",
      );
    });
  },
);
