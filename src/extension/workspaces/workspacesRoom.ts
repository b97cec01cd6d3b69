import {
  env,
  extensions,
  type Memento,
  type SecretStorage,
  workspace as editorWorkspace,
} from "vscode";
import type { Machine } from "../../protocol/machines.ts";
import type { Workspace } from "../../protocol/workspaces.ts";
import type { Connection } from "../helper/connection.ts";
import type { Records } from "../helper/records.ts";
import type { MakeReady } from "../machines/ready.ts";
import type { OpenMachine } from "../ssh/open.ts";
import type { Settings } from "../window/settings.ts";
import { configurationCommands } from "./addConfiguration.ts";
import { branchCommands } from "./branchCommands.ts";
import { cleanUpCommands } from "./cleanUp.ts";
import { consentsIn } from "./consent.ts";
import { currentWorkspace, isAroundContainer } from "./folders.ts";
import { installByEditor, keepGuestExtensions } from "./guestExtensions.ts";
import { WorkspaceLogs } from "./logs.ts";
import { offerReopening } from "./offer.ts";
import { answersNow, openByEditor, openPorts } from "./openedPorts.ts";
import { newMachineCommands } from "./newMachine.ts";
import { prebuildCommands } from "./prebuild.ts";
import { rebuildCommands } from "./rebuildCommands.ts";
import { secretsIn } from "./secrets.ts";
import { serverFolderOf } from "./serverFolder.ts";
import { offerSavedFile } from "./savedFile.ts";
import { tellFailedSetup } from "./setupFailures.ts";
import { vmCommands } from "./vmCommands.ts";
import { workspaceCommands } from "./workspaceCommands.ts";

export interface WorkspacesRoomDeps {
  readonly connection: Connection;
  readonly workspaces: Records<Workspace>;
  readonly machines: Records<Machine>;
  readonly settings: () => Settings;
  readonly loaded: () => Promise<void>;
  readonly makeReady: MakeReady;
  readonly open: OpenMachine;
  /** Of this computer: consents, declined secrets, extensions that were installed. */
  readonly memento: Memento;
  /** Of what is open in this window: what was offered for it. */
  readonly windowMemento: Memento;
  readonly secretStorage: SecretStorage;
}

/** Folders and branches in VMs of their own: their commands and logs, and what the window on one of them keeps up. */
export function createWorkspacesRoom(deps: WorkspacesRoomDeps) {
  const { connection, workspaces, machines, settings } = deps;
  const { loaded, makeReady, open } = deps;
  const { call, onNotice } = connection;
  const logs = new WorkspaceLogs({ call, onNotice, workspaces });
  connection.onConnected(() => logs.catchUp());
  const isTrusted = (): boolean => editorWorkspace.isTrusted;
  const stopSetupFailures = tellFailedSetup(workspaces);
  const stopSavedFile = offerSavedFile(workspaces);
  const here = (): Workspace | undefined => {
    if (env.remoteName !== "ssh-remote") return undefined;
    const found = currentWorkspace(workspaces);
    return found === undefined || isAroundContainer(found) ? undefined : found;
  };
  const stopPorts = openPorts({
    ...{ workspaces, machines, here, isTrusted },
    memento: deps.memento,
    ...{ answers: answersNow, open: openByEditor },
  });
  const stopExtensions = keepGuestExtensions({
    workspaces,
    here,
    isTrusted,
    onTrusted: editorWorkspace.onDidGrantWorkspaceTrust,
    memento: deps.memento,
    install: installByEditor,
  });
  const stopOffering = offerReopening({
    isWanted: () => settings().offerToReopen,
    isTrusted,
    onTrusted: editorWorkspace.onDidGrantWorkspaceTrust,
    isAskedByOthers: () =>
      extensions.getExtension("ms-vscode-remote.remote-containers") !==
      undefined,
    memento: deps.windowMemento,
  });
  const ofFolders = {
    call,
    onNotice,
    workspaces,
    settings,
    consents: consentsIn(deps.memento),
    secrets: secretsIn(deps.secretStorage, deps.memento),
    serverFolder: () => serverFolderOf(env.appRoot),
    isTrusted,
    open,
    loaded,
  };
  return {
    commands: {
      ...workspaceCommands({ ...ofFolders, logs }),
      ...rebuildCommands(ofFolders),
      ...vmCommands(ofFolders),
      ...branchCommands(ofFolders),
      ...prebuildCommands(ofFolders),
      ...newMachineCommands({ call, onNotice, settings, makeReady, open }),
      ...configurationCommands(call, settings),
      ...cleanUpCommands(call),
    },
    dispose() {
      stopSetupFailures();
      stopSavedFile();
      stopExtensions();
      stopOffering();
      stopPorts();
      logs.dispose();
    },
  };
}
