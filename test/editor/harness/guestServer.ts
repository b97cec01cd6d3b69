import { type ChildProcess, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { execa } from "execa";
import type { BrowserContext, Page } from "playwright-core";
import { freePorts } from "../../../src/helper/networks/ports.ts";
import { runCommand } from "./quickInput.ts";
import type { EditorTools } from "./install.ts";
import { quietSettings } from "./server.ts";

/*
 * A window of VS Code that is open in a guest, made as an SSH extension makes it: the editor's server is sent over plain
 * ssh, runs as the alias's user in the folder where those extensions have it, and is reached by a forward of that ssh.
 */

/** Settings and extensions of that server, in the folder that its product names. */
async function foldersOf(
  server: string,
): Promise<{ data: string; program: string }> {
  const text = await readFile(join(server, "product.json"), "utf8");
  const product = JSON.parse(text) as { serverDataFolderName: string };
  const data = `~/${product.serverDataFolderName}`;
  return { data, program: `${data}/under-test` };
}

const portInGuest = 47_555;
const token = "of-a-test";

/** Two thirds of it, which the server starts without: chat, other systems, and what the page itself loads. */
const leftOut = [
  ...["*.map", "obj.target", "out/vs/code/browser/workbench/*.[jct]s*"],
  ...["@github", "katex", "@microsoft/mxc-sdk", "@vscode/ripgrep-universal"],
  ...["@vscode/tree-sitter-wasm", "@vscode/windows-process-tree"],
  ...["@vscode/sandbox-runtime", "node-pty/third_party"],
  ...["node-pty/prebuilds/win32*", "node-pty/prebuilds/darwin*"],
].map((name) => `--exclude=${name}`);

/** Opens a terminal and waits for its shell, which takes what is typed then. */
export async function openTerminal(page: Page): Promise<void> {
  await runCommand(page, "Terminal: Create New Terminal");
  await page
    .locator(".terminal-wrapper.active .xterm-rows")
    .getByText(/[$#]/)
    .first()
    .waitFor({ timeout: 120_000 });
  await page.locator(".terminal-wrapper.active .xterm-screen").click();
}

/** What leads into the guest. */
export interface Guest {
  readonly alias: string;
  /** The ssh config that has the alias. */
  readonly sshConfig: string;
}

export interface GuestServer {
  /** Node as a shell in the guest finds it; it came with the server. */
  readonly node: string;
  /** Opens a folder of the guest in a new page, whose Explorer shows it then. */
  open(context: BrowserContext, folder: string): Promise<Page>;
  readonly stop: () => Promise<void>;
}

/** Sends this computer's VS Code server into a guest and starts it there. */
export async function startGuestServer(
  { node, codeServer }: EditorTools,
  { alias, sshConfig }: Guest,
): Promise<GuestServer> {
  const ssh = ["-F", sshConfig, "-o", "BatchMode=yes"];
  const server = join(codeServer, "lib", "vscode");
  const { data, program } = await foldersOf(server);
  const files = [
    ...leftOut,
    ...["-C", server, "out", "node_modules", "package.json", "product.json"],
    ...["-C", dirname(node), "node"],
  ];
  await execa("tar", ["-I", "gzip -1", "-cf", "-", ...files], {
    buffer: false,
  }).pipe("ssh", [
    ...[...ssh, alias],
    `mkdir -p ${program}/extensions && tar -xzf - -C ${program}`,
  ]);
  const [port = 0] = await freePorts(1);
  const settings = JSON.stringify({
    ...quietSettings,
    // What the terminal shows can be read in the page then.
    "terminal.integrated.gpuAcceleration": "off",
  });
  const start = [
    `mkdir -p ${data}/data/User &&`,
    `printf %s '${settings}' > ${data}/data/User/settings.json &&`,
    `cd ${program} && exec ./node out/server-main.js`,
    `--host 127.0.0.1 --port ${String(portInGuest)}`,
    `--connection-token ${token} --accept-server-license-terms`,
    `--server-data-dir ${data} --telemetry-level off`,
  ].join(" ");
  const forward = `127.0.0.1:${String(port)}:127.0.0.1:${String(portInGuest)}`;
  const child = spawn(
    "ssh",
    [...ssh, "-o", "ExitOnForwardFailure=yes", "-L", forward, alias, start],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  const stop = (): Promise<void> => {
    child.kill();
    return Promise.resolve();
  };
  try {
    await listening(child);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    node: `${program}/node`,
    stop,
    async open(context, folder) {
      const page = await context.newPage();
      page.setDefaultTimeout(60_000);
      // The page's own files are here as well; from an emulated guest they would take half a minute.
      await page.route(/\/static\/out\//, (route) => {
        const { pathname } = new URL(route.request().url());
        const path = pathname.replace(/^.*\/static\//, "");
        return route.fulfill({ path: join(server, path) });
      });
      const query = new URLSearchParams({ tkn: token, folder });
      await page.goto(`http://127.0.0.1:${String(port)}/?${String(query)}`);
      await page
        .locator(".explorer-folders-view .monaco-list-row")
        .first()
        .waitFor({ timeout: 180_000 });
      return page;
    },
  };
}

async function listening(child: ChildProcess): Promise<void> {
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding("utf8").on("data", (text: string) => (said += text));
  const deadline = Date.now() + 180_000;
  while (!said.includes("Extension host agent listening on")) {
    if (child.exitCode !== null || Date.now() > deadline)
      throw new Error(`VS Code's server didn't start in the guest:\n${said}`);
    await delay(100);
  }
}
