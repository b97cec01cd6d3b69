import { type Disposable, workspace } from "vscode";
import { runTold } from "./failures/registerCommands.ts";
import type { Connection } from "./helper/connection.ts";
import { keepInclude } from "./ssh/include.ts";
import type { Settings } from "./window/settings.ts";

/** Settings that only a new helper hears of. */
const ofHelper = ["qemuPath", "warmTemplates", "warmPool", "idleStopMinutes"];

/** Does at once what a changed setting asks for; the other settings are read when they are needed. */
export const followSettings = (
  connection: Connection,
  settings: () => Settings,
): Disposable =>
  workspace.onDidChangeConfiguration((event) => {
    const changed = (name: string): boolean =>
      event.affectsConfiguration(`guesthouse.${name}`);
    if (changed("home")) void runTold(() => connection.reconnect());
    else if (ofHelper.some(changed)) void runTold(() => connection.restart());
    else if (changed("manageSshConfig"))
      void runTold(() => keepInclude(connection.call, settings()));
  });
