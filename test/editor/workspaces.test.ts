import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { beforeAll, expect, test } from "vitest";
import type { Machine } from "../../src/protocol/machines.ts";
import { eventually } from "../vm/household.ts";
import { endings, pictureFailures } from "./harness/endings.ts";
import { openHouse, startEditor, type TestHouse } from "./harness/house.ts";
import { warmUp } from "../vm/warmGuests.ts";
import {
  notifications,
  outputText,
  pressInDialog,
  pressInNotification,
  waitForNotification,
} from "./harness/messages.ts";
import { answer, question, runCommand } from "./harness/quickInput.ts";
import {
  openWorkbench,
  picture,
  showContainer,
  statusBar,
} from "./harness/workbench.ts";

/* A folder with a devcontainer.json, reopened in a VM by clicks: real editor, real helper, real guest. */

const upTimeoutMs = 600_000;

/** The progress of the same command is told in a notification, too. */
const failed = /postCreateCommand .*no such tool/s;

const atEnd = endings();
let at: TestHouse;
let page: Page;
let folder: string;
let alias: string;

pictureFailures(() => page);

const write = (path: string, text: string): Promise<void> =>
  writeFile(join(folder, path), text);

beforeAll(async () => {
  at = await openHouse();
  atEnd(at.close);
  await warmUp(at.house);
  folder = join(await mkdtemp(join(tmpdir(), "gh-folder-")), "web");
  atEnd(() => rm(join(folder, ".."), { recursive: true, force: true }));
  await mkdir(join(folder, ".devcontainer"), { recursive: true });
  await write("greeting.txt", "from the host\n");
  await write(
    "setup.sh",
    "echo setting up with $TOKEN; echo no such tool >&2; exit 7\n",
  );
  await write(
    ".devcontainer/devcontainer.json",
    `{
  // Comments are part of the format.
  "name": "Web",
  "image": "debian-12",
  "initializeCommand": "touch made-on-the-host",
  "containerEnv": { "GREETING": "\${localWorkspaceFolderBasename}" },
  "secrets": { "TOKEN": { "description": "of the registry" } },
  "postCreateCommand": "sh setup.sh",
  "waitFor": "postCreateCommand",
  "customizations": { "guesthouse": { "cpus": 1, "memory": "512mb" } },
}
`,
  );
  const server = await startEditor(at);
  atEnd(server.stop);
  const window = await openWorkbench(server, { folder });
  atEnd(window.close);
  ({ page } = window);
  await showContainer(page, "Guesthouse");
});

test("Reopen in VM asks before anything of the folder runs on this computer", async () => {
  await runCommand(page, "Guesthouse: Reopen in VM");
  await pressInDialog(page, "touch made-on-the-host", "Open Without It");
});

test("and for the secrets that its file recommends, once", async () => {
  expect(await question(page)).toContain("TOKEN: of the registry");
  const box = page.locator(".quick-input-widget input:visible");
  expect(await box.getAttribute("type")).toBe("password");
  await picture(page, "screenshot-secret.png");
  await answer(page, "hunter2");
});

test("a postCreateCommand that fails is shown with its output, its log and a button that tries again", async () => {
  const seen = new Set<string>();
  await eventually("The failure", upTimeoutMs, async () => {
    for (const item of await statusBar(page)) seen.add(item);
    return (await notifications(page)).some((text) => failed.test(text))
      ? true
      : undefined;
  });
  expect([...seen].join("\n")).toContain("copying the folder");
  const told = await waitForNotification(page, failed);
  expect(told).toContain("no such tool");
  await picture(page, "screenshot-workspace-failed.png");
  const [machine] = await at.house.json<Machine[]>(["list"]);
  expect(machine?.state.kind).toBe("running");
  alias = machine?.alias ?? "";
  await pressInNotification(page, failed, "Show Log");
  const log = await eventually("The workspace log", 30_000, async () => {
    const shown = await outputText(page);
    return shown.includes("no such tool") ? shown : undefined;
  });
  expect(log).toContain("setting up with ***");
  expect(log).not.toContain("hunter2");
  await picture(page, "screenshot-workspace-log.png");
  // Who has read it may still try again.
  await waitForNotification(page, failed);
});

test("Try Again goes on where it failed, and the window asked for is the folder in the guest", async () => {
  // The copy in the guest is the guest's own: it is mended there.
  const [machine] = await at.house.json<Machine[]>(["list"]);
  const remote = machine?.folder?.guest ?? "nowhere";
  const mended = await at.house.ssh(alias, [
    `echo 'echo "$GREETING $TOKEN" > made-by-setup' > ${remote}/setup.sh`,
  ]);
  expect(mended).toMatchObject({ exitCode: 0 });
  await pressInNotification(page, failed, "Try Again");
  // Whoever said no is asked again: the answer was for that time only.
  await pressInDialog(page, "touch made-on-the-host", "Open Without It");
  await eventually("The window in the guest", upTimeoutMs, () =>
    Promise.resolve(
      decodeURIComponent(page.url()).includes(remote) ? true : undefined,
    ),
  );
  const files = await at.ssh(alias, [
    `cd ${remote} && cat made-by-setup greeting.txt && ls`,
  ]);
  expect(files.stdout.split("\n").slice(0, 2)).toEqual([
    "web hunter2",
    "from the host",
  ]);
  expect(files.stdout).not.toContain("made-on-the-host");
});
