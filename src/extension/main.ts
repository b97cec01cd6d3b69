import { env, type ExtensionContext, l10n, workspace } from "vscode";
import { sleep } from "../base/deadline.ts";
import type { MachineStats } from "../protocol/machines.ts";
import type { Commands } from "./commandIds.ts";
import { createDocuments } from "./documents.ts";
import { failureOf, presentFailure } from "./failures/present.ts";
import { Connection } from "./helper/connection.ts";
import { helperCommands } from "./helper/connectionCommands.ts";
import {
  dataFolder,
  helperCommand,
  type LaunchPlan,
  openHelper,
} from "./helper/launch.ts";
import { hostCommands } from "./host/commands.ts";
import { imageCommands } from "./images/commands.ts";
import { windowsImageCommands } from "./images/createWindows.ts";
import { imageRecords } from "./images/sync.ts";
import { createImagesView } from "./images/tree.ts";
import { BootLogs } from "./machines/bootLogs.ts";
import { changeCommands } from "./machines/changeCommands.ts";
import { machineChooser } from "./machines/choose.ts";
import { createCommands } from "./machines/createCommands.ts";
import { lifecycleCommands } from "./machines/lifecycleCommands.ts";
import { logCommands } from "./machines/logCommands.ts";
import { readyMaker } from "./machines/ready.ts";
import { machineRecords } from "./machines/sync.ts";
import { createMachinesView } from "./machines/tree.ts";
import { registerCommands, runTold } from "./registerCommands.ts";
import { createScreens } from "./screen/screens.ts";
import { thumbnails } from "./screen/thumbnail.ts";
import { readSettings } from "./settings.ts";
import { checkpointCommands } from "./snapshots/checkpointCommands.ts";
import { forkCommands } from "./snapshots/forkCommands.ts";
import { templateRecords } from "./snapshots/sync.ts";
import { templateCommands } from "./snapshots/templateCommands.ts";
import { aliasOf } from "./ssh/address.ts";
import { sshCommands } from "./ssh/commands.ts";
import { keepInclude } from "./ssh/include.ts";
import { machineOpener } from "./ssh/open.ts";
import { openedAliases } from "./ssh/openedAliases.ts";
import { forgetPlatforms } from "./ssh/remoteSettings.ts";
import { storageCommands } from "./storage/commands.ts";
import { keepWelcome } from "./welcome.ts";
import { workCommands } from "./work/commands.ts";
import { type Job, jobsOf } from "./work/jobs.ts";
import { createStatusBar } from "./work/statusBar.ts";
import { bringBackCommands } from "./workspaces/bringBack.ts";
import { prebuildCommands } from "./workspaces/prebuild.ts";
import { configurationCommands } from "./workspaces/addConfiguration.ts";
import { branchCommands } from "./workspaces/branchCommands.ts";
import { cleanUpCommands } from "./workspaces/cleanUp.ts";
import { workspaceCommands } from "./workspaces/commands.ts";
import { consentsIn } from "./workspaces/consent.ts";
import { currentWorkspace } from "./workspaces/folders.ts";
import {
  installByEditor,
  keepGuestExtensions,
} from "./workspaces/guestExtensions.ts";
import { WorkspaceLogs } from "./workspaces/logs.ts";
import { newMachineCommands } from "./workspaces/newMachine.ts";
import { secretsIn } from "./workspaces/secrets.ts";
import { serverFolderOf } from "./workspaces/serverFolder.ts";
import { tellFailedSetup } from "./workspaces/setupFailures.ts";
import { workspaceRecords } from "./workspaces/sync.ts";

/** Wires the window's parts to each other. Nothing is read, spawned or connected here: the first request does. */
export function activate(context: ExtensionContext): void {
  const { subscriptions, workspaceState, globalState, extension } = context;
  const { version } = extension.packageJSON as { version: string };
  const plan = (): LaunchPlan => ({
    extensionPath: context.extensionPath,
    version,
    execPath: process.execPath,
    ...readSettings(),
  });

  const connection = new Connection({
    open: openHelper(plan),
    toFailure: failureOf,
    sleep,
  });
  const { call, onNotice } = connection;
  const machines = machineRecords(connection);
  const images = imageRecords(connection);
  const templates = templateRecords(connection);
  const workspaces = workspaceRecords(connection);
  const opened = openedAliases(globalState, machines, forgetPlatforms);
  const bootLogs = new BootLogs({
    call,
    onNotice,
    machines,
    memento: workspaceState,
  });
  const workspaceLogs = new WorkspaceLogs({ call, onNotice, workspaces });
  // In this order on every connection: the lists come first, the rest builds on them.
  connection.onConnected(opened.prune);
  connection.onConnected(() => bootLogs.catchUp());
  connection.onConnected(() => workspaceLogs.catchUp());
  const stopWelcome = keepWelcome(connection, machines);
  const stopSetupFailures = tellFailedSetup(workspaces);
  const stopExtensions = keepGuestExtensions({
    workspaces,
    here: () =>
      env.remoteName === "ssh-remote"
        ? currentWorkspace(workspaces)
        : undefined,
    isTrusted: () => workspace.isTrusted,
    onTrusted: workspace.onDidGrantWorkspaceTrust,
    memento: globalState,
    install: installByEditor,
  });
  machines.onDidChange(({ removed }) => {
    if (removed.length > 0) void opened.prune();
  });

  const loaded = (): Promise<void> => connection.settled();
  // A machine that ends while it is asked has no figures; its tooltip does without.
  const statsOf = (machine: string): Promise<MachineStats | undefined> =>
    call("machines.stats", { machine }).then(
      ({ stats }) => stats,
      () => undefined,
    );
  const machinesView = createMachinesView(
    machines,
    loaded,
    statsOf,
    thumbnails(call),
  );
  const stopFailures = connection.onDidChangeState((state) => {
    if (state.kind === "failed")
      void presentFailure(state.failure, undefined, () => connection.refresh());
    // Without rows the view's welcome text says so.
    machinesView.warn(
      state.kind === "failed" && machines.all().length > 0
        ? l10n.t("The helper can't be reached: this may be out of date.")
        : undefined,
    );
  });
  const jobs = (): Job[] =>
    jobsOf(machines.all(), images.all(), templates.all(), workspaces.all());
  const documents = createDocuments();
  const { showMarkdown } = documents;
  const choose = machineChooser(machines, loaded);
  const makeReady = readyMaker(call, machines);
  const settings = readSettings;
  const useLauncher = async (): Promise<void> => {
    await call("ssh.useLauncher", helperCommand(plan()));
  };
  const open = machineOpener({
    call,
    settings,
    makeReady,
    opened,
    useLauncher,
  });

  const screens = createScreens({
    call,
    choose,
    machines,
    images,
    loaded,
    extensionUri: context.extensionUri,
  });

  const ofFolders = {
    call,
    onNotice,
    workspaces,
    settings,
    consents: consentsIn(globalState),
    secrets: secretsIn(context.secrets, globalState),
    serverFolder: () => serverFolderOf(env.appRoot),
    isTrusted: () => workspace.isTrusted,
    open,
    loaded,
  };

  const table: Commands = {
    ...createCommands({ call, settings, images, loaded }),
    ...lifecycleCommands(call, choose),
    ...changeCommands(call, choose, settings),
    ...forkCommands({ call, choose, machines, settings, open }),
    ...checkpointCommands({ call, choose, machines, settings }),
    ...templateCommands({ call, images, templates, settings, loaded }),
    ...storageCommands(call, showMarkdown),
    ...logCommands({
      call,
      choose,
      machines,
      loaded,
      bootLogs,
      showMarkdown,
    }),
    ...screens.commands,
    ...imageCommands({ call, images, loaded, showMarkdown }),
    ...windowsImageCommands(call),
    ...hostCommands(call, showMarkdown),
    ...sshCommands({ call, choose, settings, makeReady, open }),
    ...bringBackCommands(call, choose),
    ...newMachineCommands({ call, onNotice, settings, makeReady, open }),
    ...prebuildCommands(ofFolders),
    ...workspaceCommands({ ...ofFolders, logs: workspaceLogs }),
    ...branchCommands(ofFolders),
    ...cleanUpCommands(call),
    ...configurationCommands(call, settings),
    ...workCommands(call, jobs),
    ...helperCommands({
      connection,
      home: () => dataFolder(plan()),
      ownVersion: version,
    }),
  };

  subscriptions.push(
    ...registerCommands(table),
    machinesView,
    createImagesView(images, templates, loaded),
    createStatusBar(jobs, [
      machines.onDidChange,
      images.onDidChange,
      templates.onDidChange,
      workspaces.onDidChange,
    ]),
    documents,
    screens,
    bootLogs,
    workspaceLogs,
    workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("guesthouse.home"))
        void runTold(() => connection.reconnect());
      else if (
        event.affectsConfiguration("guesthouse.qemuPath") ||
        event.affectsConfiguration("guesthouse.warmTemplates") ||
        event.affectsConfiguration("guesthouse.warmPool") ||
        event.affectsConfiguration("guesthouse.idleStopMinutes")
      )
        void runTold(() => connection.restart());
      else if (event.affectsConfiguration("guesthouse.manageSshConfig"))
        void runTold(() => keepInclude(call, settings()));
    }),
    {
      dispose() {
        stopWelcome();
        stopSetupFailures();
        stopExtensions();
        stopFailures();
        connection.dispose();
      },
    },
  );
  if (isOurRemoteWindow(opened.all())) void connection.connect().catch(noted);
}

/** True in a window on one of our guests: its ssh must find this version's launcher when it connects again. */
function isOurRemoteWindow(aliases: readonly string[]): boolean {
  if (env.remoteName !== "ssh-remote") return false;
  return (workspace.workspaceFolders ?? []).some(({ uri }) =>
    aliases.includes(aliasOf(uri.authority) ?? ""),
  );
}

/** The connection's state tells its failures. */
const noted = (): void => undefined;
