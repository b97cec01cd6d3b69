import { env, type Memento, workspace } from "vscode";
import type { Machine } from "../../protocol/machines.ts";
import type { Connection } from "../helper/connection.ts";
import type { Records } from "../helper/records.ts";
import type { ChooseMachines } from "../machines/choose.ts";
import type { MakeReady } from "../machines/ready.ts";
import type { Settings } from "../window/settings.ts";
import { aliasOf } from "./address.ts";
import { machineOpener } from "./open.ts";
import { openedAliases } from "./openedAliases.ts";
import { forgetPlatforms } from "./remoteSettings.ts";
import { sshCommands } from "./sshCommands.ts";

export interface SshRoomDeps {
  readonly connection: Connection;
  readonly machines: Records<Machine>;
  readonly choose: ChooseMachines;
  readonly makeReady: MakeReady;
  readonly settings: () => Settings;
  /** Repeats what was done at connecting, so that a failure is told when a machine is opened. */
  readonly useLauncher: () => Promise<unknown>;
  /** Of this computer: which aliases were opened. */
  readonly memento: Memento;
}

/** The editor's and the terminal's ways into a guest. What was written for an alias goes with its machine. */
export function createSshRoom(deps: SshRoomDeps) {
  const { connection, machines, choose, makeReady, settings } = deps;
  const { call } = connection;
  const opened = openedAliases(deps.memento, machines, forgetPlatforms);
  connection.onConnected(opened.prune);
  machines.onDidChange(({ removed }) => {
    if (removed.length > 0) void opened.prune();
  });
  const { useLauncher } = deps;
  const open = machineOpener({
    call,
    settings,
    makeReady,
    opened,
    useLauncher,
  });
  return {
    open,
    commands: sshCommands({ call, choose, settings, makeReady, open }),
    /** True in a window on one of our guests: its ssh must find this version's launcher when it connects again. */
    isRemoteWindow(): boolean {
      if (env.remoteName !== "ssh-remote") return false;
      const aliases = opened.all();
      return (workspace.workspaceFolders ?? []).some(({ uri }) =>
        aliases.includes(aliasOf(uri.authority) ?? ""),
      );
    },
  };
}
