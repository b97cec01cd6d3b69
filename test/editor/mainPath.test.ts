import { readFile } from "node:fs/promises";
import type { Locator, Page } from "playwright-core";
import { beforeAll, expect, test } from "vitest";
import type { Machine } from "../../src/protocol/machines.ts";
import { eventually } from "../vm/household.ts";
import { endings, pictureFailures } from "./harness/endings.ts";
import { openHouse, startEditor, type TestHouse } from "./harness/house.ts";
import { outputText, pressInDialog, showOutput } from "./harness/messages.ts";
import { answer } from "./harness/quickInput.ts";
import type { EditorServer } from "./harness/server.ts";
import {
  contextAction,
  inlineAction,
  openWorkbench,
  picture,
  reloadWorkbench,
  showContainer,
  statusBar,
  treeRow,
  treeRows,
  welcomeButton,
} from "./harness/workbench.ts";

/** Far more than an idle machine needs: emulated guests of other tests may run beside this one. */
const bootTimeoutMs = 600_000;
/** The grace that an emulated guest is given, and a little. */
const stopTimeoutMs = 180_000;
const name = "debian-12";

const atEnd = endings();
let at: TestHouse;
let server: EditorServer;
let page: Page;
let alias: string;

const machineRow = (description?: RegExp): Locator =>
  treeRow(page, "Machines", name, description);

const running = (): Promise<void> =>
  machineRow(/^running/).waitFor({ timeout: bootTimeoutMs });

pictureFailures(() => page);

beforeAll(async () => {
  at = await openHouse();
  atEnd(at.close);
  await at.house.json(["image", "pull", "debian-12"]);
  server = await startEditor(at);
  atEnd(server.stop);
  const window = await openWorkbench(server);
  atEnd(window.close);
  ({ page } = window);
  await showContainer(page, "Guesthouse");
});

test("the welcome view's button makes a VM, whose row shows the stages of its boot until it runs (B9)", async () => {
  const button = welcomeButton(page, "Machines", "Create Your First VM");
  await button.waitFor();
  await picture(page, "screenshot-welcome.png");
  await button.click();
  const seen = new Set<string>();
  const inStatusBar = new Set<string>();
  await eventually("A running VM", bootTimeoutMs, async () => {
    const [row] = await treeRows(page, "Machines");
    const text = row?.description.split(" · ")[0];
    if (text !== undefined && text !== "") {
      if (!seen.has(text) && text.includes("services"))
        await picture(page, "screenshot-booting.png");
      seen.add(text);
    }
    for (const item of await statusBar(page)) inStatusBar.add(item);
    return text === "running" ? true : undefined;
  });
  expect([...seen]).toEqual(
    expect.arrayContaining(["starting: kernel", "starting: services"]),
  );
  expect([...inStatusBar].join("\n")).toContain(`${name}: starting`);
  const [row] = await treeRows(page, "Machines");
  expect(row?.label).toBe(name);
  expect(row?.description).toMatch(/^running · 1 CPU · 512 MB · /);
  expect(row?.ariaLabel).toContain(`${name}, running`);
  ({ alias } = await at.house.machine(name));
});

test("its boot log is an output channel with the console and the stages (B13)", async () => {
  await contextAction(machineRow(), "Show Boot Log");
  const text = await eventually("The boot log", 30_000, async () => {
    const shown = await outputText(page);
    return shown.includes("── ") ? shown : undefined;
  });
  expect(text).toContain("Linux version");
  await picture(page, "screenshot-machines.png");
});

test("Stop VM and Start VM, pressed in its row, stop and start it (B16)", async () => {
  await inlineAction(machineRow(), "Stop VM");
  await machineRow(/^stopped/).waitFor({ timeout: stopTimeoutMs });
  expect((await at.house.machine(name)).state.kind).toBe("stopped");
  await inlineAction(machineRow(), "Start VM");
  await running();
});

test("Open VM readies the editor and ssh, and asks the editor for a window in the guest", async () => {
  const opened = page
    .context()
    .waitForEvent("page", { timeout: bootTimeoutMs });
  await inlineAction(machineRow(), "Open VM");
  const popup = await opened;
  // The browser's editor drops the authority of the address; the extension host's test sees it whole.
  const { user } = await at.house.machine(name);
  expect(decodeURIComponent(popup.url())).toContain(`/home/${user}`);
  await popup.close();
  const settings = JSON.parse(
    await readFile(server.settingsFile, "utf8"),
  ) as Record<string, unknown>;
  expect(settings["remote.SSH.remotePlatform"]).toEqual({ [alias]: "linux" });
  expect(settings["remote.SSH.connectTimeout"]).toBe(120);
  expect(await at.ssh(alias, ["whoami"])).toEqual({
    exitCode: 0,
    stdout: user,
    stderr: "",
  });
});

test("a reload of the window shows the same VM, and its boot log is there again (B14)", async () => {
  await reloadWorkbench(page);
  await machineRow(/^running/).waitFor();
  await showOutput(page, `Guesthouse: ${name}`);
  const text = await eventually("The boot log", 30_000, async () => {
    const shown = await outputText(page);
    return shown.includes("Linux version") ? shown : undefined;
  });
  expect(text).toContain("── ");
});

test("kill -9 of the helper leaves the guest running, and the view comes back by itself (B14, B15)", async () => {
  const before = await at.house.machine(name);
  const { pid } = await at.house.json<{ pid: number }>(["daemon", "status"]);
  process.kill(pid, "SIGKILL");
  const status = await eventually("A new helper", 30_000, async () => {
    const now = await at.house.json<{ running: boolean; pid?: number }>([
      "daemon",
      "status",
    ]);
    return now.running && now.pid !== pid ? now : undefined;
  });
  expect(status.pid).not.toBe(pid);
  await machineRow(/^running/).waitFor();
  const after: Machine = await at.house.machine(name);
  expect(after.runtime?.pid).toBe(before.runtime?.pid);
  expect((await at.ssh(alias, ["true"])).exitCode).toBe(0);
});

test("Checkpoint… and Roll Back…, from the tree, bring the guest's memory and disk back", async () => {
  const has = async (path: string): Promise<boolean> =>
    (await at.ssh(alias, ["test", "-e", path])).exitCode === 0;
  expect(
    (await at.ssh(alias, ["touch", "kept", "/dev/shm/kept"])).exitCode,
  ).toBe(0);
  await contextAction(machineRow(), "Checkpoint…");
  await answer(page, "before the mess");
  const checkpoint = treeRow(page, "Machines", "before the mess");
  await checkpoint.waitFor({ timeout: stopTimeoutMs });
  await at.ssh(alias, ["rm", "kept", "/dev/shm/kept"]);
  await inlineAction(checkpoint, "Roll Back…");
  await pressInDialog(page, `Roll ${name} back to`, "Roll Back");
  await eventually("The guest of that moment", bootTimeoutMs, async () =>
    (await has("kept")) && (await has("/dev/shm/kept")) ? true : undefined,
  );
  await running();
  await picture(page, "screenshot-checkpoint.png");
});

test("Fork This VM makes a second guest that goes on from the first (B4)", async () => {
  await contextAction(machineRow(), "Fork This VM…");
  await answer(page, "twin");
  await treeRow(page, "Machines", "twin", /^running/).waitFor({
    timeout: bootTimeoutMs,
  });
  await picture(page, "screenshot-fork.png");
  const twin = await at.house.machine("twin");
  const ofParent = await at.ssh(alias, ["hostname;", "cat", "/etc/machine-id"]);
  const ofTwin = await at.ssh(twin.alias, [
    "hostname;",
    "cat",
    "/etc/machine-id;",
    "test -e /dev/shm/kept",
  ]);
  expect(ofTwin.exitCode).toBe(0);
  expect(ofTwin.stdout.split("\n")[0]).toBe("twin");
  expect(ofTwin.stdout.split("\n")[1]).not.toBe(ofParent.stdout.split("\n")[1]);
  await at.house.json(["delete", "twin"]);
  await treeRow(page, "Machines", "twin").waitFor({ state: "detached" });
});

test("Delete VM asks, then deletes; the log's channel stays (B13)", async () => {
  await contextAction(machineRow(), "Delete VM…");
  await pressInDialog(page, `Delete ${name}?`, "Delete");
  await welcomeButton(page, "Machines", "Create Your First VM").waitFor({
    timeout: stopTimeoutMs,
  });
  expect(await at.house.json(["list"])).toEqual([]);
  await showOutput(page, `Guesthouse: ${name}`);
  const text = await outputText(page);
  expect(text).toContain("Linux version");
  expect(text).toContain("This VM is deleted.");
});
