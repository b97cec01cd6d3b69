import type { ExtensionContext } from "vscode";
import { sleep } from "../base/deadline.ts";
import { failureOf } from "./failures/present.ts";
import { registerCommands } from "./failures/registerCommands.ts";
import { followSettings } from "./followSettings.ts";
import { Connection } from "./helper/connection.ts";
import { helperCommands } from "./helper/connectionCommands.ts";
import {
  dataFolder,
  helperCommand,
  type LaunchPlan,
  openHelper,
} from "./helper/launch.ts";
import { hostCommands } from "./host/hostCommands.ts";
import { createImagesRoom } from "./images/imagesRoom.ts";
import { imageRecords } from "./images/sync.ts";
import { createMachinesRoom } from "./machines/machinesRoom.ts";
import { machineRecords } from "./machines/sync.ts";
import { createScreens } from "./screen/screens.ts";
import { thumbnails } from "./screen/thumbnail.ts";
import { snapshotCommands } from "./snapshots/snapshotCommands.ts";
import { templateRecords } from "./snapshots/sync.ts";
import { createSshRoom } from "./ssh/sshRoom.ts";
import { storageCommands } from "./storage/storageCommands.ts";
import { tellConnection } from "./tellConnection.ts";
import { keepWelcome } from "./welcome.ts";
import type { Commands } from "./window/commandIds.ts";
import { createDocuments } from "./window/documents.ts";
import { readSettings } from "./window/settings.ts";
import { createWorkRoom } from "./work/workRoom.ts";
import { workspaceRecords } from "./workspaces/sync.ts";
import { createWorkspacesRoom } from "./workspaces/workspacesRoom.ts";

/*
 * The extension's entry: one connection to the helper, the records that it keeps fresh, and the rooms of this window,
 * each made from what it needs. `window/commandIds.ts` says in which file each command is.
 */

/** Wires the window's parts to each other. Nothing is read, spawned or connected here: the first request does. */
export function activate(context: ExtensionContext): void {
  const { subscriptions, workspaceState, globalState, extensionUri } = context;
  const plan = planOf(context);
  const connection = new Connection({
    open: openHelper(plan),
    toFailure: failureOf,
    sleep,
  });
  const { call } = connection;
  // First, because on every connection the lists come first: what the rooms do then builds on them.
  const records = recordsOf(connection);
  const documents = createDocuments();
  // What several rooms are made from; each says in its deps what it takes of it.
  const common = {
    ...records,
    connection,
    call,
    loaded: () => connection.settled(),
    settings: readSettings,
    showMarkdown: documents.showMarkdown,
    extensionUri,
  };
  const ofMachines = createMachinesRoom({
    ...common,
    thumbnailOf: thumbnails(call),
    memento: workspaceState,
  });
  const { choose, makeReady, warn } = ofMachines;
  const ofImages = createImagesRoom(common);
  const screens = createScreens({ ...common, choose });
  const ofSsh = createSshRoom({
    ...common,
    ...{ choose, makeReady },
    useLauncher: () => call("ssh.useLauncher", helperCommand(plan())),
    memento: globalState,
  });
  const { open } = ofSsh;
  const ofWorkspaces = createWorkspacesRoom({
    ...common,
    ...{ makeReady, open },
    memento: globalState,
    windowMemento: workspaceState,
    secretStorage: context.secrets,
  });
  const work = createWorkRoom(common);
  const stops = [
    keepWelcome(connection, records.machines),
    tellConnection(connection, records.machines, warn),
  ];

  const table: Commands = {
    ...ofMachines.commands,
    ...ofImages.commands,
    ...screens.commands,
    ...ofSsh.commands,
    ...snapshotCommands({ ...common, choose, open }),
    ...ofWorkspaces.commands,
    ...work.commands,
    ...storageCommands(call, documents.showMarkdown),
    ...hostCommands(call, documents.showMarkdown),
    ...helperCommands({
      connection,
      home: () => dataFolder(plan()),
      ownVersion: plan().version,
    }),
  };
  subscriptions.push(
    ...registerCommands(table),
    ...[ofMachines, ofImages, screens, ofWorkspaces, work, documents],
    followSettings(connection, readSettings),
    {
      dispose() {
        for (const stop of stops) stop();
        connection.dispose();
      },
    },
  );
  // The connection's state tells its failures.
  if (ofSsh.isRemoteWindow()) void connection.connect().catch(() => undefined);
}

/** What the trees show; asked for in this order. */
const recordsOf = (connection: Connection) => ({
  machines: machineRecords(connection),
  images: imageRecords(connection),
  templates: templateRecords(connection),
  workspaces: workspaceRecords(connection),
});

/** How the helper is started now: settings may have changed since. */
function planOf({ extension, extensionPath }: ExtensionContext) {
  const { version } = extension.packageJSON as { version: string };
  return (): LaunchPlan => ({
    extensionPath,
    version,
    execPath: process.execPath,
    ...readSettings(),
  });
}
