import * as vscode from "vscode";

type Execute = typeof vscode.commands.executeCommand;

/**
 * Runs `work` and keeps one command from being executed meanwhile; the arguments of each call. An editor in a browser
 * drops the authority of a remote address, so what was asked of it is seen here, whole: code below the extension's
 * folder shares the extension's own `vscode` object.
 */
export async function watchCommands(
  command: string,
  work: () => Thenable<unknown>,
): Promise<unknown[][]> {
  const calls: unknown[][] = [];
  const commands = vscode.commands as { executeCommand: Execute };
  const original = commands.executeCommand;
  commands.executeCommand = (async (id: string, ...args: unknown[]) => {
    if (id !== command) return original(id, ...args);
    calls.push(args);
    return undefined;
  }) as Execute;
  try {
    await work();
  } finally {
    commands.executeCommand = original;
  }
  return calls;
}
