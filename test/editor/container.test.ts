import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, test } from "vitest";
import { startImageRegistry } from "../../scripts/lib/imageRegistry.mjs";
import type { Machine } from "../../src/protocol/machines.ts";
import { eventually } from "../vm/household.ts";
import { warmUpEngine } from "../vm/warmGuests.ts";
import { endings, pictureFailures } from "./harness/endings.ts";
import { openTerminal, startGuestServer } from "./harness/guestServer.ts";
import { openHouse, startEditor, type TestHouse } from "./harness/house.ts";
import { pressInNotification } from "./harness/messages.ts";
import type { EditorServer } from "./harness/server.ts";
import { openWorkbench, picture, statusBar } from "./harness/workbench.ts";

/*
 * A folder whose devcontainer.json names a container image, opened in a VM by clicks; then a window of VS Code whose server
 * runs in the container, where the VM's alias leads. The container's image comes from a stand-in registry.
 */

const upTimeoutMs = 600_000;
const devcontainer = {
  name: "Site",
  image: "mcr.microsoft.com/devcontainers/base:bookworm",
  forwardPorts: [8123],
  customizations: {
    guesthouse: { cpus: 2, memory: "2gb" },
    vscode: {
      settings: { "editor.tabSize": 3 },
      extensions: ["guesthouse-test.small"],
    },
  },
};
const serve =
  "-e 'require(`http`).createServer((_, to) => to.end(`from ` + require(`os`).hostname())).listen(8123)'";

/*
 * The server that runs here runs in the container, too: the same system, and no older libraries. It is sent there whole, and an
 * emulated guest takes four minutes for all of this, and more beside others: it runs when it is asked for.
 */
const missing =
  process.platform !== "linux"
    ? "VS Code's server for Linux"
    : process.env["GUESTHOUSE_TEST_CONTAINER_WINDOW"] === undefined
      ? "GUESTHOUSE_TEST_CONTAINER_WINDOW=1, it takes minutes"
      : "";

describe.skipIf(missing !== "")(
  `a dev container in the editor${missing && ` (skipped without ${missing})`}`,
  () => {
    const atEnd = endings();
    let at: TestHouse;
    let editor: EditorServer;
    let page: Page;
    let machine: Machine;
    let hostname: string;
    let node: string;

    pictureFailures(() => page);

    beforeAll(async () => {
      const usualPort = 47_113;
      const registry = await startImageRegistry({ port: usualPort }).catch(() =>
        startImageRegistry(),
      );
      atEnd(() => registry.close());
      at = await openHouse(
        registry.env(`http://10.0.2.2:${String(registry.port)}`),
      );
      atEnd(at.close);
      await warmUpEngine(at.house);
      const root = await mkdtemp(join(tmpdir(), "gh-folder-"));
      atEnd(() => rm(root, { recursive: true, force: true }));
      const folder = join(root, "site");
      await mkdir(join(folder, ".devcontainer"), { recursive: true });
      await writeFile(join(folder, "greeting.txt"), "from the host\n");
      await writeFile(
        join(folder, ".devcontainer", "devcontainer.json"),
        JSON.stringify(devcontainer),
      );
      editor = await startEditor(at);
      atEnd(editor.stop);
      const window = await openWorkbench(editor, { folder });
      atEnd(window.close);
      ({ page } = window);
    });

    test("what is offered for its devcontainer.json asks for a window in the container's folder", async () => {
      await pressInNotification(page, /devcontainer\.json/, "Reopen in VM");
      await eventually("The window in the container", upTimeoutMs, () =>
        Promise.resolve(
          decodeURIComponent(page.url()).includes("/workspaces/site")
            ? true
            : undefined,
        ),
      );
      [machine] = await at.house.json<[Machine]>(["list"]);
      const vmAlias = machine.container?.vmAlias ?? "";
      const { stdout } = await at.ssh(vmAlias, [
        "docker inspect -f '{{.Config.Hostname}}' $(docker ps -q)",
      ]);
      expect(stdout).toMatch(/^[0-9a-f]{12}$/);
      hostname = stdout;
    });

    test("VS Code's server runs there, with the file's settings", async () => {
      const server = await startGuestServer(editor.tools, {
        alias: machine.alias,
        sshConfig: at.sshConfigFile,
      });
      atEnd(server.stop);
      ({ node } = server);
      page = await server.open(page.context(), "/workspaces/site");
      await page
        .locator(".explorer-folders-view .monaco-list-row")
        .getByText("greeting.txt")
        .dblclick();
      await eventually("The setting", 60_000, async () =>
        (await statusBar(page)).includes("Spaces: 3") ? true : undefined,
      );
    });

    test("its terminal is the container's, and a file made there appears in the Explorer", async () => {
      await openTerminal(page);
      await page.keyboard.type("(whoami; hostname; pwd) > who.txt\n");
      const made = page
        .locator(".explorer-folders-view .monaco-list-row")
        .getByText("who.txt");
      await made.waitFor();
      await picture(page, "screenshot-container.png");
      expect(
        (await at.ssh(machine.alias, ["cat /workspaces/site/who.txt"])).stdout,
      ).toBe(`vscode\n${hostname}\n/workspaces/site`);
    });

    test("a server that is started there is reached on this computer", async () => {
      await page.keyboard.type(`${node} ${serve}\n`);
      const { runtime } = await at.house.machine(machine.name);
      const { hostPort } = runtime!.forwards.find(
        ({ guestPort }) => guestPort === 8123,
      )!;
      const answer = await eventually("The server", 60_000, async () => {
        const url = `http://127.0.0.1:${String(hostPort)}`;
        return fetch(url).then(
          (response) => response.text(),
          () => undefined,
        );
      });
      expect(answer).toBe(`from ${hostname}`);
    });
  },
);
