import { homedir } from "node:os";
import { type Terminal, ThemeIcon, Uri, window } from "vscode";
import { quoted } from "./shellQuoting.ts";

/** In a remote window a terminal opens over there unless its folder is a local one. */
const localFolder = (): Uri => Uri.file(homedir());

/** A terminal that is one program, e.g. ssh; it closes with the program. */
export function openProgram(
  name: string,
  [program, ...args]: readonly string[],
): void {
  if (program === undefined) throw new TypeError("no program to run");
  const terminal = window.createTerminal({
    name,
    shellPath: program,
    shellArgs: args,
    cwd: localFolder(),
    iconPath: new ThemeIcon("vm"),
    isTransient: true,
  });
  terminal.show();
}

/**
 * Types a command into a shell of the user's, where it can be read and its output stays. Settles when the command
 * ends, as far as the shell tells (shell integration), at the latest when the terminal is closed.
 */
export async function runInTerminal(
  name: string,
  command: readonly string[],
): Promise<void> {
  const terminal = window.createTerminal({
    name,
    cwd: localFolder(),
    iconPath: new ThemeIcon("tools"),
    isTransient: true,
  });
  const ended = endOf(terminal);
  terminal.show();
  terminal.sendText(quoted(command, process.platform));
  await ended;
}

function endOf(terminal: Terminal): Promise<void> {
  return new Promise((resolve) => {
    const listeners = [
      window.onDidEndTerminalShellExecution((event) => {
        if (event.terminal === terminal) end();
      }),
      window.onDidCloseTerminal((closed) => {
        if (closed === terminal) end();
      }),
    ];
    const end = (): void => {
      for (const listener of listeners) listener.dispose();
      resolve();
    };
  });
}
