import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { FrameLocator, Page } from "playwright-core";
import { beforeAll, expect, test } from "vitest";
import { makeHandoffFifos } from "../../src/helper/guests/handoff/port.ts";
import { qemuArguments } from "../../src/helper/qemu/commandLine.ts";
import {
  endProcess,
  type LaunchedQemu,
  launchQemu,
  waitForExit,
} from "../../src/helper/qemu/process.ts";
import type { Machine } from "../../src/protocol/machines.ts";
import { type FakeHelper, startFakeHelper } from "../fakes/helper.ts";
import { qemuSpec } from "../fakes/qemuSpec.ts";
import { echoDisk, greeting, screenText } from "../process/qemu/echoGuest.ts";
import { qemuBinary } from "../process/qemu/workbench.ts";
import { machine } from "../unit/extension/samples.ts";
import { brightPixels } from "./harness/canvas.ts";
import type { PageGlobal } from "./harness/dom.ts";
import { endings, pictureFailures } from "./harness/endings.ts";
import { packExtension } from "./harness/house.ts";
import { waitForNotification } from "./harness/messages.ts";
import { startEditorServer } from "./harness/server.ts";
import {
  contextAction,
  openWorkbench,
  picture,
  reloadWorkbench,
  renderedPage,
  showContainer,
  treeRow,
} from "./harness/workbench.ts";

/* The panel in the real editor on the screens of real QEMUs; the helper only says where they are. */

const atEnd = endings();
let helper: FakeHelper;
let page: Page;
let panel: FrameLocator;
let folder: string;

const id = "id-attic";
let revision = 1;
const put = (change: Partial<Machine>): void =>
  helper.putMachine(
    machine({
      id,
      name: "attic",
      screen: true,
      revision: ++revision,
      ...change,
    }),
  );
const stopped = { kind: "stopped", reason: "requested" } as const;

const screenSocket = (): string => join(folder, "screen");

/** A machine whose firmware starts a guest that echoes what is typed. */
async function startEcho(): Promise<LaunchedQemu> {
  const spec = qemuSpec(folder, {
    ...{ name: "attic", cpus: 1, memoryMiB: 64 },
    screenSocket: screenSocket(),
  });
  const launched = await launchQemu({
    binary: await qemuBinary(),
    args: qemuArguments(spec),
    logPath: join(folder, "qemu.log"),
    cwd: folder,
    qmpSocket: spec.qmpSocket,
  });
  atEnd(() => end(launched));
  return launched;
}

async function end(launched: LaunchedQemu): Promise<void> {
  launched.qmp.close();
  await endProcess(launched, "SIGKILL");
  await waitForExit(launched, 5_000);
}

const running = ({ pid }: LaunchedQemu): Partial<Machine> => ({
  state: { kind: "running", sinceMs: Date.now() },
  runtime: {
    ...{ pid, startedAtMs: Date.now(), way: "cold" },
    ...{ accelerator: "tcg", acceleratorReason: "", sshPort: 40022 },
    consoleSocket: join(folder, "console"),
    screenSocket: screenSocket(),
    forwards: [],
    network: { backend: "user", hostLoopbackReachable: true, reason: "" },
  },
});

const shows = (launched: LaunchedQemu, text: string): Promise<void> =>
  expect
    .poll(() => screenText(launched.qmp), { timeout: 60_000, interval: 500 })
    .toContain(text);

pictureFailures(() => page);

beforeAll(async () => {
  const manifest = await readFile(
    fileURLToPath(new URL("../../package.json", import.meta.url)),
    "utf8",
  );
  const { version } = JSON.parse(manifest) as { version: string };
  folder = await mkdtemp(join(tmpdir(), "gh-"));
  atEnd(() => rm(folder, { recursive: true, force: true }));
  await echoDisk(folder);
  await makeHandoffFifos(join(folder, "handoff"));
  helper = await startFakeHelper(folder, version);
  atEnd(helper.close);
  helper.answer("workspaces.list", () => Promise.resolve({ workspaces: [] }));
  put({ screen: false, state: stopped });
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

test("a screen is added, shows the firmware's text, takes keys and typed text, comes back with its machine and with the window", async () => {
  const row = treeRow(page, "Machines", "attic");
  await row.waitFor();
  await contextAction(row, "Open Screen");
  await panel.getByText("attic has no screen.").waitFor();

  let launched: LaunchedQemu | undefined;
  helper.answer("machines.set", ({ machine: set, screen }) => {
    put({ state: stopped });
    return Promise.resolve({
      machine: machine({ id: set, screen: screen ?? false }),
    });
  });
  helper.answer("machines.start", async () => {
    launched = await startEcho();
    put(running(launched));
    return { machine: machine({ id }) };
  });
  await panel.getByRole("button", { name: "Add a Screen and Start" }).click();
  await panel.locator("body[data-connected]").waitFor();
  expect(
    helper.requests
      .filter(({ method }) => /^machines\.(set|start|stop)$/.test(method))
      .map(({ method, params }) => [method, params]),
  ).toEqual([
    ["machines.set", { machine: id, screen: true }],
    ["machines.start", { machine: id }],
  ]);
  const first = launched!;
  await shows(first, greeting.trim());
  await expect
    .poll(() => brightPixels(panel), { timeout: 20_000 })
    .toBeGreaterThan(500);

  // The panel took the keyboard when it connected.
  await page.keyboard.type("keys, ", { delay: 60 });
  for (const key of ["Shift+KeyA", "KeyZ", "Shift+Backquote"])
    await page.keyboard.press(key, { delay: 60 });
  await shows(first, `${greeting}keys, Az~`);
  await page.evaluate(
    (text) =>
      (globalThis as unknown as PageGlobal).navigator.clipboard.writeText(text),
    ' pasted {"a": 1}',
  );
  await panel.getByRole("button", { name: "Type Clipboard" }).click();
  await shows(first, 'keys, Az~ pasted {"a": 1}');
  await picture(page, "screenshot-screen.png");

  helper.answer("machines.screenshot", async () => {
    const filename = join(folder, "picture.png");
    await first.qmp.execute("screendump", { filename, format: "png" });
    return { png: (await readFile(filename)).toString("base64") };
  });
  await row.hover();
  await page
    .locator('.workbench-hover img[src^="data:image/png"], .monaco-hover img')
    .first()
    .waitFor();
  await panel.locator("#screen canvas").first().click();

  // What is only looked at takes nothing.
  await panel.getByRole("button", { name: "Read Only" }).click();
  await page.keyboard.type("nothing", { delay: 30 });
  await panel.getByRole("button", { name: "Read Only" }).click();
  await page.keyboard.type(".", { delay: 60 });
  await shows(first, 'pasted {"a": 1}.');

  // Another QEMU is another life of the same machine.
  await end(first);
  put({ state: stopped });
  await panel.getByText("attic is stopped.").waitFor();
  const second = await startEcho();
  put(running(second));
  await panel.locator("body[data-connected]").waitFor();
  await shows(second, greeting.trim());

  await reloadWorkbench(page);
  await panel.locator("body[data-connected]").waitFor({ timeout: 60_000 });
  await expect
    .poll(() => brightPixels(panel), { timeout: 20_000 })
    .toBeGreaterThan(500);
});

test("text that the guest's keyboard can't type is refused as a whole", async () => {
  await page.evaluate(
    (text) =>
      (globalThis as unknown as PageGlobal).navigator.clipboard.writeText(text),
    "naïve ☃",
  );
  await panel.getByRole("button", { name: "Type Clipboard" }).click();
  await waitForNotification(page, /a US keyboard can't type: ï ☃/);
});
