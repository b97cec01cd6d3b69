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
 * Opens a machine in desktop VS Code; offers to install what that lacks where there is somebody to ask.
 * @param {string} uri `vscode-remote://ssh-remote+ALIAS/FOLDER`
 * @param {{assumeYes: boolean}} options
 * @returns {Promise<boolean>} false when there is no desktop VS Code that could
 */
export async function openOnDesktop(uri, { assumeYes }) {
  const code = codeCommand();
  if (code === undefined || !hasDisplay()) return false;
  if (!(await canOpenOverSsh(code, assumeYes))) return false;
  const [command, ...args] = code;
  await run(command, [...args, `--folder-uri=${uri}`], {
    what: "VS Code could not open the machine.",
  });
  return true;
}

/**
 * @param {[command: string, ...args: string[]]} code
 * @param {boolean} assumeYes
 */
async function canOpenOverSsh([command, ...args], assumeYes) {
  const listed = await capture(command, [...args, "--list-extensions"]);
  if (listed.code !== 0) return false;
  const installed = listed.stdout.toLowerCase().split(/\s+/);
  if (sshExtensions.some((id) => installed.includes(id))) return true;

  const [extension = ""] = sshExtensions;
  const question = `VS Code needs an extension to open machines over SSH. Install ${extension}? [Y/n] `;
  if (!assumeYes && !(process.stdin.isTTY && (await confirm(question)))) {
    say(
      `Desktop VS Code has no Remote-SSH extension (code --install-extension ${extension}).`,
    );
    return false;
  }
  await run(command, [...args, "--install-extension", extension], {
    what: `${extension} could not be installed.`,
    remedy: `Run: code --install-extension ${extension}`,
  });
  return true;
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
