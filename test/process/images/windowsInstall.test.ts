import { build } from "esbuild";
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
import type { Images } from "../../../src/helper/images/images.ts";
import { findQemu } from "../../../src/helper/qemu/process.ts";
import type { Image } from "../../../src/protocol/images.ts";
import { signedBoot } from "../qemu/standIn/disk.ts";
import { type IsoHouse, openSsh, until } from "./windowsHouse.ts";
import { makeStandIn } from "./windowsIso.ts";
import {
  makePlayer,
  missingForPlay,
  type Player,
  resources,
} from "./windowsPlayer.ts";
import { windowsStage } from "./windowsStage.ts";

const missing = await missingForPlay();

const name = "windows-11";

describe.skipIf(missing.length > 0)(
  `installing Windows, played by Debian's kernel and QEMU's agent (skipped without ${missing.join(", ") || "its parts"})`,
  () => {
    let workshop: string;
    let player: Player;
    let iso: string;
    let drivers: string;
    let packageFile: string;

    const stage = windowsStage();
    const { direct, hear, nothingLeft, open, stages } = stage;
    const scene = (play: string): Promise<IsoHouse> =>
      stage.scene(player, play, { iso, drivers, name, openSsh: packageFile });
    const imageOf = (images: Images): Promise<Image> => images.show(name);

    beforeAll(async () => {
      workshop = await mkdtemp(join(tmpdir(), "gh-win-"));
      player = await makePlayer(signedBoot ?? "", workshop);
      ({ iso } = await makeStandIn(workshop));
      drivers = join(workshop, "drivers.iso");
      await writeFile(
        drivers,
        isoVolume("DRIVERS", [{ name: "readme.txt", content: "none\n" }]),
      );
      packageFile = join(workshop, "OpenSSH.msi");
      await writeFile(packageFile, openSsh);
    });
    afterAll(() => rm(workshop, { recursive: true, force: true }));

    test("an ISO becomes an image in the store, by Secure Boot and without a key pressed", async () => {
      const play = `case "$(stage)" in
"") grow 1 16; stand copied; restart 1 ;;
1) grow 17 4; agent
   install drivers guest-agent viosock; stand logon
   install $logon; verify $all; stand verified; ready ;;
esac`;
      const { home, wish } = await scene("");
      const whole = {
        ...{ home, resources, memoryMiB: 512 },
        wish: { ...wish, iso: await player.iso(home, play) },
      };
      const images = await open(whole);
      const installed = images.installs.install(whole.wish);
      installed.catch(() => undefined);
      const director = await direct(whole);
      await Promise.race([director.stands("copied"), installed]);
      await hear("setup");
      director.go();
      await Promise.race([director.stands("logon"), installed]);
      const state = await hear("first logon", "step 4 of 9 (openssh)");
      expect(state).toMatchObject({ screen: director.files.screenSocket });
      await access(director.files.screenSocket);
      director.go();
      await director.stands("verified");
      await hear("verification", "18 of 18 steps verified, 1 restart");
      director.go();
      await installed;
      expect(stages()).toEqual(
        expect.arrayContaining(["prepare", "firmware", "setup", "pack"]),
      );
      const image = await imageOf(images);
      expect(image).toMatchObject({
        state: { kind: "ready" },
        os: "windows",
        title: "Windows 11 Pro für “alle”",
        defaultUser: "dev",
        source: { kind: "windows", language: "en-US" },
        report: { usable: true },
      });
      expect(image.report?.checks).toHaveLength(19);
      const golden = await images.resolve(name);
      await access(golden.files.variables);
      expect(await readFile(whole.wish.iso)).toBeDefined();
      await nothingLeft();
      expect(await readdir(stage.layout.logs)).toEqual([]);
    });

    test("a helper is killed in the midst, the next one goes on; a step that fails is mended", async () => {
      const spec = await scene(`case "$(stage)" in
"") grow 1 16; stand setup; restart 1 ;;
1) agent; install $logon; verify $all
   say firewall Verify false 'It is off.'; put round 1; say firewall Remediate true
   stand remediated; restart 2 ;;
2) agent; put round 1; verify $all; ready ;;
esac`);
      const program = join(spec.home, "driver.cjs");
      await build({
        entryPoints: [join(import.meta.dirname, "windowsInstallDriver.ts")],
        outfile: program,
        bundle: true,
        platform: "node",
        format: "cjs",
        target: "node20",
        external: ["cpu-features", "*.node"],
        logLevel: "error",
      });
      const helper = execa("node", [program, JSON.stringify(spec)], {
        reject: false,
      });
      let said = "";
      helper.stdout.on("data", (text: Buffer) => (said += text.toString()));
      const early = helper.then(({ stderr }): never => {
        throw new Error(`The helper ended by itself: ${stderr}`);
      });
      early.catch(() => undefined);
      const director = await Promise.race([direct(spec), early]);
      await Promise.race([director.stands("setup"), early]);
      await until(() => (said.includes("setup") ? true : undefined));
      helper.kill("SIGKILL");
      await helper;
      expect(await findQemu(`path=${director.files.qmpSocket}`)).toHaveLength(
        1,
      );

      const images = await open(spec);
      await images.installs.goOn();
      await hear("setup");
      const installed = images.installs.install(spec.wish);
      installed.catch(() => undefined);
      director.go();
      await Promise.race([director.stands("remediated"), installed]);
      await hear("remediation", "round 1 of 3 (firewall), 1 restart");
      director.go();
      await installed;
      expect(await imageOf(images)).toMatchObject({
        state: { kind: "ready" },
        report: { usable: true },
      });
      await nothingLeft();
    });

    test("a step that can't be mended is told, with what there is to look at; deleting it leaves nothing", async () => {
      const spec = await scene(`grow 1 16; agent; install $logon; verify $all
say firewall Verify false 'Somebody keeps it off.'
put round 3; put setup.log 'given up'; put failed.json '{"failed":["firewall"]}'`);
      const images = await open(spec);
      await expect(images.installs.install(spec.wish)).rejects.toMatchObject({
        failure: {
          code: "images.buildFailed",
          message: expect.stringContaining("Somebody keeps it off.") as string,
          remedy: expect.stringContaining(`install-${name}.png`) as string,
        },
      });
      expect((await imageOf(images)).state.kind).toBe("failed");
      const files = stage.layout.install(name, "");
      expect(await readFile(files.log, "utf8")).toContain("given up");
      expect((await readFile(files.picture)).toString("latin1", 1, 4)).toBe(
        "PNG",
      );
      expect(await readdir(files.folder)).toEqual(["install.json"]);
      expect(await findQemu(`path=${stage.layout.run}/`)).toEqual([]);

      const next = await open(spec);
      await next.installs.goOn();
      expect((await imageOf(next)).state).toMatchObject({
        kind: "failed",
        failure: { code: "images.buildFailed" },
      });
      await expect(next.obtain(name, {}, undefined)).rejects.toHaveProperty(
        "failure.code",
        "images.buildFailed",
      );
      expect(stages().filter((stage) => stage === "setup")).toHaveLength(2);
      await next.remove(name);
      expect(await readdir(stage.layout.logs)).toEqual([]);
      await nothingLeft();
    });

    test("where nothing moves it is told, and it goes on when it moves again; cancelled, it leaves nothing behind", async () => {
      const spec = {
        ...(await scene("grow 1 16; stand still; grow 17 8; stand again")),
        stallMs: 1_500,
      };
      const images = await open(spec);
      const installed = images.installs.install(spec.wish);
      installed.catch(() => undefined);
      const director = await direct(spec);
      await Promise.race([director.stands("still"), installed]);
      const still = await hear("setup", "nothing has moved for");
      const before = stage.told.indexOf(still);
      director.go();
      await director.stands("again");
      await until(() =>
        stage.told
          .slice(before)
          .some(
            (state) =>
              state.kind === "working" &&
              state.stage === "setup" &&
              state.detail === undefined,
          )
          ? true
          : undefined,
      );
      expect(await images.cancel(name)).toBe(true);
      await expect(installed).rejects.toHaveProperty(
        "failure.kind",
        "cancelled",
      );
      await expect(imageOf(images)).rejects.toHaveProperty(
        "failure.code",
        "images.unknown",
      );
      await nothingLeft();
      expect(await readdir(stage.layout.logs)).toEqual([]);
    });
  },
);
