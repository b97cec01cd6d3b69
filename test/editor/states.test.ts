import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { beforeAll, expect, test } from "vitest";
import { failed } from "../../src/protocol/failure.ts";
import type { Machine } from "../../src/protocol/machines.ts";
import { type FakeHelper, startFakeHelper } from "../fakes/helper.ts";
import { diagnosis, image, machine } from "../unit/extension/samples.ts";
import { endings, pictureFailures } from "./harness/endings.ts";
import { packExtension } from "./harness/house.ts";
import {
  pressInDialog,
  pressInNotification,
  waitForNotification,
} from "./harness/messages.ts";
import { answer, pick, pickLabels, runCommand } from "./harness/quickInput.ts";
import { type EditorServer, startEditorServer } from "./harness/server.ts";
import {
  contextAction,
  contextActions,
  inlineAction,
  inlineActions,
  openWorkbench,
  picture,
  showContainer,
  statusBar,
  treeRow,
  treeRows,
} from "./harness/workbench.ts";

/* Every state that is hard to bring about with a real guest, shown by the real editor over the real protocol. */

const atEnd = endings();
let helper: FakeHelper;
let server: EditorServer;
let page: Page;
let problems: string[];

const now = Date.now();
const inStates: Record<string, Machine["state"]> = {
  creating: { kind: "creating", step: "disk", sinceMs: now },
  starting: { kind: "starting", stage: "cloud-init", sinceMs: now },
  running: { kind: "running", sinceMs: now },
  unready: { kind: "unready", sinceMs: now, diagnosis: diagnosis() },
  paused: { kind: "paused", sinceMs: now },
  stopping: { kind: "stopping", step: "terminate", sinceMs: now },
  stopped: { kind: "stopped", reason: "requested" },
  crashed: { kind: "stopped", reason: "crashed" },
};

let revision = 1;
const put = (name: string, state: Machine["state"]): void =>
  helper.putMachine(
    machine({ id: `id-${name}`, name, state, revision: ++revision }),
  );

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
  for (const [name, state] of Object.entries(inStates)) put(name, state);
  helper.putImage(image({ sizeBytes: 400 * 2 ** 20, usedBy: ["running"] }));
  server = await startEditorServer({
    vsix: [await packExtension()],
    env: { GUESTHOUSE_HOME: home },
  });
  atEnd(server.stop);
  const window = await openWorkbench(server);
  atEnd(window.close);
  ({ page, problems } = window);
  await showContainer(page, "Guesthouse");
  await treeRow(page, "Machines", "running").waitFor();
});

test("each state has words of its own, which a screen reader says, too", async () => {
  await picture(page, "screenshot-states.png");
  const rows = await treeRows(page, "Machines");
  const told = Object.fromEntries(
    rows.map(({ label, description }) => [label, description.split(" · ")[0]]),
  );
  expect(told).toEqual({
    creating: "creating: disk",
    starting: "starting: first-boot settings",
    running: "running",
    unready: "not reachable: services",
    paused: "paused",
    stopping: "ending it",
    stopped: "stopped",
    crashed: "ended unexpectedly",
  });
  for (const { label, ariaLabel } of rows)
    expect(ariaLabel).toContain(`${label}, ${told[label] ?? "?"}`);
});

test("a row offers what its state allows, and nothing else", async () => {
  const offered = async (name: string): Promise<string[]> =>
    inlineActions(treeRow(page, "Machines", name));
  expect(await offered("stopped")).toEqual(["Start VM", "Open VM"]);
  expect(await offered("running")).toEqual([
    "Open VM",
    "SSH in Terminal",
    "Stop VM",
  ]);
  expect(await offered("paused")).toEqual(["Resume VM", "Stop VM"]);
  const menu = await contextActions(treeRow(page, "Machines", "stopped"));
  expect(menu).toContain("Resize VM…");
  expect(menu).not.toContain("Stop VM");
});

test("a notice changes the row, and the status bar tells what goes on", async () => {
  for (const name of ["creating", "stopping"])
    helper.removeMachine(`id-${name}`);
  put("starting", { kind: "starting", stage: "sshd", sinceMs: now });
  await treeRow(page, "Machines", "starting", /^starting: SSH/).waitFor();
  expect((await statusBar(page)).join("\n")).toContain(
    "starting: starting: SSH",
  );
  put("starting", { kind: "running", sinceMs: Date.now() });
  await treeRow(page, "Machines", "starting", /^running/).waitFor();
  expect((await statusBar(page)).join("\n")).not.toContain("starting:");
});

test("a download shows its bytes and its rate in the Images view", async () => {
  helper.putImage(
    image({
      name: "debian-13",
      title: "Debian 13",
      state: {
        kind: "working",
        stage: "download",
        sinceMs: now,
        bytes: 120 * 2 ** 20,
        totalBytes: 350 * 2 ** 20,
        bytesPerSecond: 12 * 2 ** 20,
      },
    }),
  );
  await treeRow(
    page,
    "Images",
    "debian-13",
    /^downloading · 120 MB of 350 MB · 12 MB\/s$/,
  ).waitFor();
});

test("a failed start is one notification, with the remedy as its button (B8)", async () => {
  helper.answer("machines.start", () => {
    throw failed(
      "machines.notReady",
      "stopped did not answer over SSH within 90 s: the guest has sent nothing.",
      { actions: ["showDiagnosis", "delete"] },
    );
  });
  await inlineAction(treeRow(page, "Machines", "stopped"), "Start VM");
  const told = await waitForNotification(page, /did not answer over SSH/);
  expect(told).toBe(
    "stopped did not answer over SSH within 90 s: the guest has sent nothing.",
  );
  helper.answer("machines.diagnose", () =>
    Promise.resolve({ diagnosis: diagnosis() }),
  );
  put("stopped", { kind: "unready", sinceMs: now, diagnosis: diagnosis() });
  await pressInNotification(page, /did not answer/, "Show Diagnosis");
  await page
    .locator(".tab", { hasText: "Diagnosis of stopped" })
    .first()
    .waitFor();
  expect(helper.requests.at(-1)).toEqual({
    method: "machines.diagnose",
    params: { machine: "id-stopped" },
  });
});

test("nothing is deleted without consent", async () => {
  const row = treeRow(page, "Machines", "crashed");
  const deletions = (): unknown[] =>
    helper.requests.filter(({ method }) => method === "machines.delete");
  await contextAction(row, "Delete VM…");
  await pressInDialog(page, "Delete crashed?", "Cancel");
  expect(deletions()).toEqual([]);
  helper.answer("machines.delete", ({ machine: id }) => {
    helper.removeMachine(id);
    return Promise.resolve({ id });
  });
  await contextAction(row, "Delete VM…");
  await pressInDialog(page, "Delete crashed?", "Delete");
  await row.waitFor({ state: "detached" });
  expect(deletions()).toHaveLength(1);
});

test("Create VM with Options has a default for everything and changes what is asked for", async () => {
  helper.answer("machines.create", ({ name, cpus }) => {
    const created = machine({
      id: "id-made",
      name: name ?? "debian-12",
      cpus: cpus ?? 2,
      revision: ++revision,
    });
    helper.putMachine(created);
    return Promise.resolve({ machine: created });
  });
  helper.answer("machines.start", () =>
    Promise.resolve({
      machine: machine({ id: "id-made", revision: ++revision }),
    }),
  );
  await runCommand(page, "Guesthouse: Create VM with Options…");
  expect(await pickLabels(page)).toEqual(
    expect.arrayContaining(["Image", "Name", "CPUs", "Memory", "Disk"]),
  );
  await pick(page, "Name");
  await answer(page, "made-here");
  await pick(page, "CPUs");
  await answer(page, "4");
  await pick(page, /Create VM$/);
  await treeRow(page, "Machines", "made-here", /4 CPU/).waitFor();
  const created = helper.requests.find(
    ({ method }) => method === "machines.create",
  );
  expect(created?.params).toMatchObject({
    name: "made-here",
    cpus: 4,
    image: "debian-12",
  });
});

test("nothing of this raised an error in the page", () => {
  expect(problems).toEqual([]);
});
