import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import type { FrameLocator, Page } from "playwright-core";
import { beforeAll, describe, expect, test } from "vitest";
import { isoVolume } from "../../src/helper/guests/seed/iso9660.ts";
import { imageHandlers } from "../../src/helper/images/handlers.ts";
import type { Images } from "../../src/helper/images/images.ts";
import { layoutOf } from "../../src/helper/store/layout.ts";
import type { Params } from "../../src/protocol/contract.ts";
import { type FakeHelper, startFakeHelper } from "../fakes/helper.ts";
import { imagesOf, openSsh } from "../process/images/windowsHouse.ts";
import {
  makePlayer,
  missingForPlay,
  resources,
} from "../process/images/windowsPlayer.ts";
import { signedBoot } from "../process/qemu/standIn/disk.ts";
import { brightPixels } from "./harness/canvas.ts";
import { endings, pictureFailures } from "./harness/endings.ts";
import { packExtension } from "./harness/house.ts";
import { pressInDialog } from "./harness/messages.ts";
import {
  answer,
  chooseFile,
  pick,
  question,
  runCommand,
} from "./harness/quickInput.ts";
import { startEditorServer } from "./harness/server.ts";
import {
  contextAction,
  openWorkbench,
  picture,
  renderedPage,
  showContainer,
  treeRow,
} from "./harness/workbench.ts";

/*
 * Windows is installed by the images room itself, on the machine that Windows would have, from a stand-in for its ISO;
 * the helper before it only passes on, as the installation's package of OpenSSH is a stand-in, too.
 */

const missing = await missingForPlay();
const name = "windows-11-home";

describe.skipIf(missing.length > 0)(
  `a Windows image made in the editor (skipped without ${missing.join(", ") || "its parts"})`,
  () => {
    const atEnd = endings();
    let images: Images;
    let helper: FakeHelper;
    let page: Page;
    let panel: FrameLocator;
    let iso: string;
    let drivers: string;
    let login: Params<"images.prepareWindows">["login"];
    const home = mkdtemp(join(tmpdir(), "gh-"));

    pictureFailures(() => page);

    beforeAll(async () => {
      const folder = await home;
      atEnd(() => rm(folder, { recursive: true, force: true }));
      const manifest = await readFile(
        fileURLToPath(new URL("../../package.json", import.meta.url)),
        "utf8",
      );
      const { version } = JSON.parse(manifest) as { version: string };
      const player = await makePlayer(signedBoot ?? "", folder);
      iso = await player.iso(
        folder,
        `case "$(stage)" in
"") grow 1 16; ask "Which key opens this house?"; restart 1 ;;
1) agent; install $logon; verify $all; ready ;;
esac`,
      );
      drivers = join(folder, "drivers.iso");
      await writeFile(
        drivers,
        isoVolume("DRIVERS", [{ name: "readme.txt", content: "none\n" }]),
      );
      const openSshFile = join(folder, "OpenSSH.msi");
      await writeFile(openSshFile, openSsh);

      helper = await startFakeHelper(folder, version);
      atEnd(helper.close);
      images = await imagesOf(
        {
          ...{ home: folder, resources, memoryMiB: 512 },
          wish: { name },
        },
        (image) => helper.putImage(image),
        (image, revision) =>
          helper.notify("images.removed", { name: image, revision }),
      );
      atEnd(() => images.close());
      atEnd(async () => {
        await images.cancel(name);
      });
      const handlers = imageHandlers(images, () => Promise.resolve());
      helper.answer("images.inspectIso", handlers["images.inspectIso"]);
      helper.answer("images.installWindows", (wish, context) =>
        handlers["images.installWindows"](
          { ...wish, openSsh: openSshFile },
          context,
        ),
      );
      helper.answer("images.prepareWindows", (wish, context) => {
        login = wish.login;
        return handlers["images.prepareWindows"](
          { ...wish, openSsh: openSshFile },
          context,
        );
      });
      helper.answer("images.import", handlers["images.import"]);
      helper.answer("images.cancel", handlers["images.cancel"]);
      helper.answer("workspaces.list", () =>
        Promise.resolve({ workspaces: [] }),
      );
      const server = await startEditorServer({
        vsix: [await packExtension()],
        env: { GUESTHOUSE_HOME: folder },
      });
      atEnd(server.stop);
      const window = await openWorkbench(server, { folder });
      atEnd(window.close);
      page = window.page;
      panel = renderedPage(page);
      await showContainer(page, "Guesthouse");
    });

    const log = async (): Promise<string> =>
      readFile(layoutOf(await home).install(name, "").log, "utf8").catch(
        () => "",
      );

    test("the wizard asks for what the ISO has, and agrees before it begins", async () => {
      await runCommand(page, "Guesthouse: Create Windows Image…");
      await pick(page, "An installation ISO");
      await chooseFile(page, /Installation ISO of Windows/, basename(iso));
      await pick(page, "Windows 11 Home");
      await pick(page, "en-US");
      await chooseFile(page, /virtio drivers/, basename(drivers));
      await pressInDialog(
        page,
        /Install Windows 11 Home \(en-US\) in a VM/,
        "Install",
      );
      await treeRow(page, "Images", name).waitFor();
    });

    test("the stages are told; the screen shows firmware and setup, and takes what is typed", async () => {
      const row = treeRow(page, "Images", name, /^Windows setup: firmware/);
      await row.waitFor({ timeout: 60_000 });
      await contextAction(row, "Open Screen");
      await panel.locator("body[data-connected]").waitFor();
      // Before the firmware has set a mode and drawn its mark, QEMU itself writes that it has not.
      await expect
        .poll(() => panel.locator("#size").innerText(), { timeout: 60_000 })
        .not.toMatch(/^(640 × 480)?$/);
      await expect
        .poll(() => brightPixels(panel), { timeout: 60_000 })
        .toBeGreaterThan(5_000);
      await picture(page, "screenshot-windows-firmware.png");

      await treeRow(
        page,
        "Images",
        name,
        /^Windows setup: copying files/,
      ).waitFor({ timeout: 90_000 });
      await expect
        .poll(
          async () => {
            await page.keyboard.type("brass\n", { delay: 60 });
            return log();
          },
          { timeout: 60_000, interval: 1_000 },
        )
        .toContain("typed: brass");
      await picture(page, "screenshot-windows-setup.png");
    });

    test("it becomes an image, and the panel says so", async () => {
      await treeRow(page, "Images", name, /^ready/).waitFor({
        timeout: 180_000,
      });
      await panel.getByText(`${name}: ready`).waitFor();
    });

    // The box takes the place of the dialog, whose input looks alike.
    const nameAccount = async (): Promise<void> => {
      await expect.poll(() => question(page)).toContain("account in it");
      await answer(page, "ada");
    };

    const makeDisk = (file: string): Promise<unknown> =>
      home.then((folder) =>
        execa("qemu-img", ["create", "-fqcow2", join(folder, file), "64M"]),
      );

    test("a disk that has it is started with the login that the wizard asked for, and is given up from the tree", async () => {
      await makeDisk("Office.qcow2");
      const passwordFile = join(await home, "password.txt");
      await writeFile(passwordFile, "correct horse\n", { mode: 0o600 });
      await runCommand(page, "Guesthouse: Create Windows Image…");
      await pick(page, "A disk that has it");
      await chooseFile(page, /Disk with Windows/, "Office.qcow2");
      await nameAccount();
      await pick(page, "By SSH, with a password");
      await chooseFile(page, /first line is the password/, "password.txt");
      await chooseFile(page, /virtio drivers/, basename(drivers));
      await pressInDialog(page, /Start Office.qcow2 in a VM/, "Prepare");
      const row = treeRow(page, "Images", "office", /^Windows setup: /);
      await row.waitFor({ timeout: 60_000 });
      expect(login).toEqual({ passwordFile });
      await contextAction(row, "Cancel");
      await row.waitFor({ state: "detached", timeout: 60_000 });
      expect((await images.list()).map((image) => image.name)).toEqual(
        expect.not.arrayContaining(["office"]),
      );
    });

    test("a generalized disk is taken as it is, and known to be one", async () => {
      await makeDisk("Golden.qcow2");
      await runCommand(page, "Guesthouse: Create Windows Image…");
      await pick(page, "A generalized disk, taken as it is");
      await chooseFile(page, /Disk with Windows/, "Golden.qcow2");
      await nameAccount();
      await treeRow(page, "Images", "golden", /^ready/).waitFor({
        timeout: 60_000,
      });
      expect(await images.show("golden")).toMatchObject({
        ...{ os: "windows", generalized: true, defaultUser: "ada" },
      });
    });
  },
);
