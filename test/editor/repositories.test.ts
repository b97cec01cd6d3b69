import {
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Page } from "playwright-core";
import { beforeAll, expect, test } from "vitest";
import type { Image } from "../../src/protocol/images.ts";
import type { Machine } from "../../src/protocol/machines.ts";
import { git } from "../process/workspaces/workspaceOverSsh.ts";
import { eventually } from "../vm/household.ts";
import { endings, pictureFailures } from "./harness/endings.ts";
import { openHouse, startEditor, type TestHouse } from "./harness/house.ts";
import { warmUp } from "../vm/warmGuests.ts";
import {
  notifications,
  pressInDialog,
  pressInNotification,
  waitForNotification,
} from "./harness/messages.ts";
import {
  answer,
  dismiss,
  pick,
  pickLabels,
  question,
  runCommand,
} from "./harness/quickInput.ts";
import { openWorkbench, picture, showContainer } from "./harness/workbench.ts";

/* What the palette does with folders, branches and repositories: real editor, helper, git and guests. */

const upTimeoutMs = 600_000;

const atEnd = endings();
let at: TestHouse;
let page: Page;
let root: string;
let folder: string;

pictureFailures(() => page);

const machines = (): Promise<Machine[]> => at.house.json(["list"]);

/** The path of the window that `ask` leads to. */
async function openedBy(ask: () => Promise<void>): Promise<string> {
  const opened = page.context().waitForEvent("page", { timeout: upTimeoutMs });
  await ask();
  const window = await opened;
  const url = decodeURIComponent(window.url());
  await window.close();
  return url;
}

beforeAll(async () => {
  at = await openHouse();
  atEnd(at.close);
  await at.house.json(["image", "pull", "debian-12"]);
  root = await mkdtemp(join(tmpdir(), "gh-repositories-"));
  atEnd(() => rm(root, { recursive: true, force: true }));
  folder = join(root, "web");
  await mkdir(folder);
  const commit = async (greeting: string): Promise<void> => {
    await writeFile(join(folder, "greeting.txt"), `${greeting}\n`);
    await git(folder, "add", "-A");
    await git(folder, "commit", "-qm", greeting);
  };
  await git(folder, "init", "-q");
  await commit("main");
  await git(folder, "checkout", "-qb", "feature/login");
  await commit("feature");
  await git(folder, "checkout", "-q", "main");
  await git(root, "clone", "-q", "--bare", "web", "shop.git");
  const server = await startEditor(at, { "guesthouse.openIn": "newWindow" });
  atEnd(server.stop);
  const window = await openWorkbench(server, { folder });
  atEnd(window.close);
  ({ page } = window);
  await showContainer(page, "Guesthouse");
});

test("Add VM Configuration Files… asks for image and size, and shows what it wrote; one that is there is opened", async () => {
  const title = "Guesthouse: Add VM Configuration Files…";
  await runCommand(page, title);
  expect(await question(page)).toContain("Image of the VM");
  await pick(page, "debian-12");
  // The next question takes the place of the last one.
  await expect
    .poll(() => pickLabels(page), { timeout: 30_000 })
    .toContain("4 CPUs, 8 GB");
  await pick(page, "Default size");
  const shown = page.locator('.tab[aria-label*="devcontainer.json"]');
  await shown.waitFor();
  const path = join(folder, ".devcontainer", "devcontainer.json");
  const text = await readFile(path, "utf8");
  expect(text).toContain('"image": "debian-12"');
  await picture(page, "screenshot-configuration.png");
  await runCommand(page, "View: Close All Editors");
  await shown.waitFor({ state: "detached" });
  await runCommand(page, title);
  await pressInNotification(page, /is there already/, "Open It");
  await shown.waitFor();
  // The focus goes there; a palette that was open would be closed by it.
  await page.locator(".monaco-editor.focused").waitFor();
  expect(await readFile(path, "utf8")).toBe(text);
});

test("Prebuild VM Image for This Folder tells its stages; Cancel ends it, and nothing is left of it", async () => {
  await runCommand(page, "Guesthouse: Prebuild VM Image for This Folder");
  const told = /Prebuilding a VM image for web/;
  await waitForNotification(page, /making the VM/, upTimeoutMs);
  await picture(page, "screenshot-prebuilding.png");
  await pressInNotification(page, told, "Cancel");
  await eventually("The end of the prebuild", upTimeoutMs, async () =>
    (await notifications(page)).some((text) => told.test(text))
      ? undefined
      : true,
  );
  expect(await notifications(page)).toEqual([]);
  // The window is told at once; the helper tidies up behind it.
  await expect.poll(machines, { timeout: 60_000 }).toEqual([]);
  const images = await at.house.json<Image[]>(["image", "list"]);
  expect(images.map(({ name }) => name).join()).not.toContain("prebuild");
});

test("Clone Repository in VM… takes an address without a password, says what git said, and opens the clone in its VM", async () => {
  // Not about booting, as the prebuild above is.
  await warmUp(at.house);
  const title = "Guesthouse: Clone Repository in VM…";
  await runCommand(page, title);
  await answer(page, "https://me:secret@example.com/shop.git");
  await eventually("What is wrong with it", 30_000, async () =>
    (await question(page)).includes("without a password") ? true : undefined,
  );
  await dismiss(page);
  await runCommand(page, title);
  await answer(page, pathToFileURL(join(root, "missing.git")).href);
  const said = await waitForNotification(
    page,
    /missing\.git can't be fetched by this computer's git/,
  );
  expect(said).toContain("does not appear to be a git repository");
  await picture(page, "screenshot-clone-failed.png");
  const url = await openedBy(async () => {
    await runCommand(page, title);
    await answer(page, pathToFileURL(join(root, "shop.git")).href);
  });
  expect(url).toContain("/workspaces/shop");
  const [machine] = await machines();
  const guest = await at.ssh(machine?.alias ?? "", [
    "cd /workspaces/shop && cat greeting.txt && git remote get-url origin",
  ]);
  expect(guest.stdout.split("\n")).toEqual([
    "main",
    pathToFileURL(join(root, "shop.git")).href,
  ]);
});

test("Open This Branch in Another VM… shows the branches, and opens one beside what is checked out here", async () => {
  await runCommand(page, "Guesthouse: Open This Branch in Another VM…");
  expect((await pickLabels(page)).map((label) => label.trim())).toEqual([
    ...["main", "feature/login", "New Branch…"],
  ]);
  await picture(page, "screenshot-branches.png");
  const url = await openedBy(() => pick(page, /feature\/login/));
  expect(url).toContain("/workspaces/web");
  const machine = (await machines()).find(({ name }) => name.includes("login"));
  const guest = await at.ssh(machine?.alias ?? "", [
    "cd /workspaces/web && cat greeting.txt && git branch --show-current",
  ]);
  expect(guest.stdout.split("\n")).toEqual(["feature", "feature/login"]);
  expect(await git(folder, "branch", "--show-current")).toBe("main");
});

test("Clean Up… offers what lost its folder, asks, and takes its VM with it; the other VM stays", async () => {
  await rename(folder, join(root, "moved away"));
  await runCommand(page, "Guesthouse: Clean Up…");
  // Each row has its reason below.
  expect(await pickLabels(page)).toEqual([
    "web (feature/login)",
    `${folder} · its folder is gone`,
  ]);
  await picture(page, "screenshot-clean-up.png");
  await pick(page, /feature\/login/);
  await page.keyboard.press("Enter");
  await pressInDialog(page, /its folder is gone/, "Delete");
  await eventually("The end of its VM", upTimeoutMs, async () =>
    (await machines()).length === 1 ? true : undefined,
  );
  expect((await machines())[0]?.name).toBe("shop-main");
});
