// Desktop VS Code on this host, and whether it can open a machine over SSH.
import { existsSync } from "node:fs";
import { confirm } from "./packages.mjs";
import { say } from "./progress.mjs";
import { capture, onPath, run } from "./run.mjs";

/** Extensions that open `ssh-remote` windows, in VS Code and its relatives. */
const sshExtensions = [
  "ms-vscode-remote.remote-ssh",
  "jeanp413.open-remote-ssh",
  "anysphere.remote-ssh",
  "codeium.windsurf-remote-openssh",
  "google.antigravity-remote-openssh",
];

const applicationOnMac =
  "/Applications/Visual Studio Code.app/Contents/Resources/app/bin/code";

/** Whether a window can be shown at all. */
function hasDisplay() {
  if (process.platform !== "linux") return true;
  return Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY);
}

/** @returns {[command: string, ...args: string[]] | undefined} how to start VS Code's command line */
function codeCommand() {
  const found =
    onPath("code") ??
    (existsSync(applicationOnMac) ? applicationOnMac : undefined);
  if (found === undefined) return undefined;
  // On Windows `code` is a batch file, which only the command interpreter can start.
  return process.platform === "win32"
    ? [process.env.ComSpec ?? "cmd.exe", "/d", "/c", found]
    : [found];
}

/**
 * @typedef {object} Desktop desktop VS Code that can open a machine
 * @property {[command: string, ...args: string[]]} code
 * @property {string} [lacking] an extension to be installed first
 */

/**
 * Finds desktop VS Code; asks for what it lacks where there is somebody to ask. Installs nothing yet.
 * @param {{assumeYes: boolean}} options
 * @returns {Promise<Desktop | undefined>} undefined when there is none that could, or the user doesn't want it
 */
export async function findDesktop({ assumeYes }) {
  const code = codeCommand();
  if (code === undefined || !hasDisplay()) return undefined;
  const [command, ...args] = code;
  const listed = await capture(command, [...args, "--list-extensions"]);
  if (listed.code !== 0) return undefined;
  const installed = listed.stdout.toLowerCase().split(/\s+/);
  if (sshExtensions.some((id) => installed.includes(id))) return { code };

  const [extension = ""] = sshExtensions;
  const question = `VS Code needs an extension to open machines over SSH. Install ${extension}? [Y/n] `;
  if (assumeYes || (process.stdin.isTTY && (await confirm(question))))
    return { code, lacking: extension };
  say(
    `Desktop VS Code has no Remote-SSH extension (code --install-extension ${extension}).`,
  );
  return undefined;
}

/**
 * Opens a machine in desktop VS Code.
 * @param {string} uri `vscode-remote://ssh-remote+ALIAS/FOLDER`
 * @param {Desktop} desktop
 */
export async function openOnDesktop(uri, { code, lacking }) {
  const [command, ...args] = code;
  if (lacking !== undefined)
    await run(command, [...args, "--install-extension", lacking], {
      what: `${lacking} could not be installed.`,
      remedy: `Run: code --install-extension ${lacking}`,
    });
  await run(command, [...args, `--folder-uri=${uri}`], {
    what: "VS Code could not open the machine.",
  });
}

/**
 * Opens an address in the user's browser, where there is one.
 * @param {string} url
 */
export async function openInBrowser(url) {
  if (!hasDisplay()) return;
  const opener = {
    darwin: ["open"],
    win32: ["cmd.exe", "/d", "/c", "start", ""],
  }[process.platform] ?? ["xdg-open"];
  const [command = "", ...args] = opener;
  if (onPath(command) !== undefined) await capture(command, [...args, url]);
}
