import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { beforeAll, expect, test } from "vitest";
import type { Machine } from "../../src/protocol/machines.ts";
import { type FakeHelper, startFakeHelper } from "../fakes/helper.ts";
import {
  checkpoint,
  image,
  machine,
  template,
} from "../unit/extension/samples.ts";
import { endings, pictureFailures } from "./harness/endings.ts";
import { packExtension } from "./harness/house.ts";
import { pressInDialog, waitForNotification } from "./harness/messages.ts";
import { answer, pick, runCommand } from "./harness/quickInput.ts";
import { startEditorServer } from "./harness/server.ts";
import {
  contextAction,
  contextActions,
  inlineAction,
  inlineActions,
  openWorkbench,
  picture,
  renderedPage,
  showContainer,
  treeRow,
  treeRows,
} from "./harness/workbench.ts";

/* Forks, checkpoints, suspended machines and templates, by clicks in the real editor over the real protocol. */

const atEnd = endings();
let helper: FakeHelper;
let page: Page;
let problems: string[];

const now = Date.now();
let revision = 1;
let web = machine({
  id: "id-web",
  name: "web",
  state: { kind: "running", sinceMs: now },
  checkpoints: [
    checkpoint({ id: "c1", note: "fresh", memory: false }),
    checkpoint({ id: "c2", note: "before the upgrade" }),
  ],
});
const put = (change: Machine): void =>
  helper.putMachine({ ...change, revision: ++revision });

pictureFailures(() => page);

beforeAll(async () => {
  const manifest = await readFile(
    fileURLToPath(new URL("../../package.json", import.meta.url)),
    "utf8",
  );
  const { version } = JSON.parse(manifest) as { version: string };
  const home = await mkdtemp(join(tmpdir(), "gh-"));
  atEnd(() => rm(home, { recursive: true, force: true }));
  helper = await startFakeHelper(home, version);
  atEnd(helper.close);
  put(web);
  put(machine({ id: "id-api", name: "api", checkpoints: [checkpoint()] }));
  put(
    machine({
      id: "id-fork",
      name: "web-fork",
      generation: 1,
      parent: { id: "id-web", name: "web" },
      state: { kind: "stopped", reason: "suspended" },
      suspended: { at: "2026-03-01T12:00:00Z", sizeBytes: 210 * 2 ** 20 },
    }),
  );
  helper.putImage(image({ sizeBytes: 400 * 2 ** 20 }));
  helper.putTemplate(
    template({ lastUsedAt: new Date(now - 200_000).toISOString() }),
  );
  const server = await startEditorServer({
    vsix: [await packExtension()],
    env: { GUESTHOUSE_HOME: home },
  });
  atEnd(server.stop);
  const window = await openWorkbench(server);
  atEnd(window.close);
  ({ page, problems } = window);
  await showContainer(page, "Guesthouse");
  await treeRow(page, "Machines", "web-fork").waitFor();
});

const asked = (method: string): unknown =>
  helper.requests.findLast((request) => request.method === method)?.params;

test("checkpoints and forks are below their VM, templates below their image", async () => {
  const rows = await treeRows(page, "Machines");
  expect(rows.map(({ label, level }) => [label, level])).toEqual([
    ["api", 1],
    ["web", 1],
    ["before the upgrade", 2],
    ["fresh", 2],
    ["web-fork", 2],
  ]);
  expect(rows[0]?.expanded).toBe(false);
  expect(rows[2]?.description).toMatch(/^240 MB · memory and disk · /);
  expect(rows[4]?.description).toBe("suspended · 210 MB");
  await treeRow(
    page,
    "Images",
    "warm",
    /^2 CPU · 2 GB · 184 MB · used \d+ min ago$/,
  ).waitFor();
  await picture(page, "screenshot-snapshots.png");
});

test("each row offers what fits it", async () => {
  const row = (name: string) => treeRow(page, "Machines", name);
  expect(await inlineActions(row("web-fork"))).toEqual([
    "Resume VM",
    "Open VM",
  ]);
  expect(await inlineActions(row("fresh"))).toEqual([
    "Roll Back…",
    "Branch From Checkpoint…",
  ]);
  expect(await contextActions(row("fresh"))).toEqual([
    "Roll Back…",
    "Branch From Checkpoint…",
    "Delete Checkpoint…",
  ]);
  expect(await contextActions(row("web"))).toEqual(
    expect.arrayContaining(["Fork This VM…", "Checkpoint…", "Suspend VM"]),
  );
  const stopped = await contextActions(row("api"));
  expect(stopped).toContain("Checkpoint…");
  expect(stopped).not.toContain("Fork This VM…");
});

test("Fork This VM has a free name ready, shows the fork below its parent and offers to open it", async () => {
  helper.answer("machines.fork", ({ machine: id, name = "" }) => {
    const fork = machine({
      id: "id-new",
      name,
      generation: 1,
      parent: { id, name: "web" },
      state: { kind: "running", sinceMs: Date.now() },
      revision: ++revision,
    });
    helper.putMachine(fork);
    return Promise.resolve({ machine: fork, pausedMs: 240 });
  });
  await contextAction(treeRow(page, "Machines", "web"), "Fork This VM…");
  const box = page.locator(".quick-input-widget:visible input[type=text]");
  await box.first().waitFor();
  expect(await box.first().inputValue()).toBe("web-fork-2");
  await page.keyboard.press("Enter");
  await treeRow(page, "Machines", "web-fork-2", /^running/).waitFor();
  const told = await waitForNotification(page, /goes on where web was/);
  expect(told).toContain("web stood still for 0.2 s");
  expect(asked("machines.fork")).toEqual({
    machine: "id-web",
    name: "web-fork-2",
  });
});

test("a fork of a folded VM comes in sight", async () => {
  put(
    machine({
      id: "id-api-fork",
      name: "api-fork",
      parent: { id: "id-api", name: "api" },
      state: { kind: "running", sinceMs: Date.now() },
    }),
  );
  await treeRow(page, "Machines", "api-fork", /^running/).waitFor();
});

test("Checkpoint… takes a note, and the checkpoint is the newest one of its VM", async () => {
  helper.answer("checkpoints.create", ({ note = "" }) => {
    const made = checkpoint({ id: "c3", note });
    web = {
      ...web,
      checkpoints: [...web.checkpoints, made],
      revision: ++revision,
    };
    helper.putMachine(web);
    return Promise.resolve({ machine: web, checkpoint: "c3", pausedMs: 200 });
  });
  await contextAction(treeRow(page, "Machines", "web"), "Checkpoint…");
  await answer(page, "works");
  await treeRow(page, "Machines", "works").waitFor();
  expect(asked("checkpoints.create")).toEqual({
    machine: "id-web",
    note: "works",
  });
});

test("Roll Back… asks first, and can keep the present state", async () => {
  helper.answer("checkpoints.rollBack", () =>
    Promise.resolve({ machine: web }),
  );
  const row = treeRow(page, "Machines", "fresh");
  await inlineAction(row, "Roll Back…");
  await pressInDialog(page, "Roll web back to “fresh”?", "Cancel");
  expect(asked("checkpoints.rollBack")).toBeUndefined();
  await inlineAction(row, "Roll Back…");
  await picture(page, "screenshot-roll-back.png");
  await pressInDialog(
    page,
    /is lost, and the programs that run in it now end/,
    "Keep Present State and Roll Back",
  );
  await expect
    .poll(() => asked("checkpoints.rollBack"))
    .toEqual({ machine: "id-web", checkpoint: "c1", keepPresent: true });
});

test("from the palette, Branch From Checkpoint asks for VM and checkpoint", async () => {
  helper.answer("checkpoints.branch", ({ name = "" }) =>
    Promise.resolve({
      machine: machine({ id: "id-branch", name, revision: ++revision }),
    }),
  );
  await runCommand(page, "Guesthouse: Branch From Checkpoint…");
  await pick(page, "web");
  await pick(page, "before the upgrade");
  await answer(page, "try-it");
  await waitForNotification(page, /try-it begins at “before the upgrade”/);
  expect(asked("checkpoints.branch")).toEqual({
    machine: "id-web",
    checkpoint: "c2",
    name: "try-it",
  });
});

test("a suspended VM is resumed by its start", async () => {
  const row = treeRow(page, "Machines", "web-fork");
  helper.answer("machines.start", () => Promise.resolve({ machine: web }));
  await inlineAction(row, "Resume VM");
  await expect
    .poll(() => asked("machines.start"))
    .toEqual({ machine: "id-fork" });
});

test("Warm Up Image shows its stages in the Images view", async () => {
  helper.answer("templates.warmUp", () => {
    const making = template({
      id: "other",
      state: { kind: "making", stage: "boot", sinceMs: Date.now() },
      shape: { cpus: 4, memoryMiB: 4096, diskGiB: 20, user: "guest" },
    });
    helper.putTemplate(making);
    return Promise.resolve({ template: making });
  });
  await contextAction(treeRow(page, "Images", "debian-12"), "Warm Up Image");
  await treeRow(
    page,
    "Images",
    "warm",
    /^4 CPU · 4 GB · warming up: boot/,
  ).waitFor();
  expect(asked("templates.warmUp")).toEqual({ image: "debian-12" });
  helper.removeTemplate("other");
  await treeRow(page, "Images", "warm", /warming up/).waitFor({
    state: "detached",
  });
});

test("nothing is reclaimed before the user has seen what goes", async () => {
  const item = {
    kind: "leftover" as const,
    id: "x",
    title: "half a download",
    bytes: 600 * 2 ** 20,
    reclaimable: true,
    reason: "nothing knows it",
  };
  const removed = [item];
  helper.answer("storage.reclaim", () =>
    Promise.resolve({ removed, freedBytes: item.bytes }),
  );
  await runCommand(page, "Guesthouse: Reclaim Disk Space…");
  await pressInDialog(page, "half a download", "Cancel");
  expect(asked("storage.reclaim")).toEqual({ dryRun: true });
  await runCommand(page, "Guesthouse: Reclaim Disk Space…");
  await pressInDialog(page, "Reclaim 600 MB?", "Reclaim");
  await expect.poll(() => asked("storage.reclaim")).toEqual({});
  helper.answer("storage.usage", () =>
    Promise.resolve({
      items: removed,
      totalBytes: item.bytes,
      reclaimableBytes: item.bytes,
    }),
  );
  await runCommand(page, "Guesthouse: Show Disk Usage");
  const report = renderedPage(page);
  await report.getByRole("heading", { name: "Disk usage" }).waitFor();
  const text = await report.locator("body").innerText();
  expect(text).toContain("600 MB of it can be reclaimed");
  expect(text).toContain("half a download");
  await picture(page, "screenshot-disk-usage.png");
});

test("nothing of this raised an error in the page", () => {
  expect(problems).toEqual([]);
});
