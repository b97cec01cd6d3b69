/*
 * The table of commands: each id that package.json contributes, below the file that holds its code. A room takes its share
 * of the table as `CommandsOf`, and `main.ts` puts the shares together; one that nobody takes does not compile.
 */

/** `test/unit/extension/manifest.test.ts` compares them with package.json, and each with its file. */
export const commandIds = [
  // machines/createCommands.ts
  "guesthouse.createMachine",
  "guesthouse.createMachineWithOptions",
  "guesthouse.createMachineFromImage",
  // machines/lifecycleCommands.ts
  "guesthouse.startMachine",
  "guesthouse.stopMachine",
  "guesthouse.forceStopMachine",
  "guesthouse.restartMachine",
  "guesthouse.pauseMachine",
  "guesthouse.resumeMachine",
  "guesthouse.suspendMachine",
  "guesthouse.deleteMachine",
  // machines/changeCommands.ts
  "guesthouse.renameMachine",
  "guesthouse.resizeMachine",
  // machines/bringBack.ts
  "guesthouse.bringBackWork",
  // machines/logCommands.ts
  "guesthouse.showBootLog",
  "guesthouse.showDiagnosis",
  "guesthouse.openConsole",
  // machines/machinesRoom.ts
  "guesthouse.showServiceLog",
  // ssh/sshCommands.ts
  "guesthouse.openMachine",
  "guesthouse.openMachineInNewWindow",
  "guesthouse.openMachineInCurrentWindow",
  "guesthouse.openEmptyWindow",
  "guesthouse.openMachineFolder",
  "guesthouse.sshInTerminal",
  "guesthouse.copySshCommand",
  // snapshots/forkCommands.ts
  "guesthouse.forkMachine",
  "guesthouse.branchFromCheckpoint",
  // snapshots/checkpointCommands.ts
  "guesthouse.createCheckpoint",
  "guesthouse.rollBack",
  "guesthouse.deleteCheckpoint",
  // snapshots/templateCommands.ts
  "guesthouse.warmUpImage",
  "guesthouse.deleteTemplate",
  // workspaces/newMachine.ts
  "guesthouse.openFolderInNewMachine",
  // workspaces/workspaceCommands.ts
  "guesthouse.reopenInMachine",
  "guesthouse.openFolderInMachine",
  "guesthouse.reopenLocally",
  "guesthouse.showWorkspaceLog",
  "guesthouse.setSecrets",
  // workspaces/rebuildCommands.ts
  "guesthouse.rebuildContainer",
  "guesthouse.rebuildMachine",
  "guesthouse.rebuildMachineWithoutCache",
  // workspaces/vmCommands.ts
  "guesthouse.openVmOfFolder",
  "guesthouse.openConfiguration",
  // workspaces/prebuild.ts
  "guesthouse.prebuildFolder",
  // workspaces/branchCommands.ts
  "guesthouse.openBranchInMachine",
  "guesthouse.cloneRepositoryInMachine",
  // workspaces/cleanUp.ts
  "guesthouse.cleanUp",
  // workspaces/addConfiguration.ts
  "guesthouse.addConfiguration",
  // screen/screens.ts
  "guesthouse.openScreen",
  "guesthouse.openImageScreen",
  // images/imageCommands.ts
  "guesthouse.pullImage",
  "guesthouse.updateImage",
  "guesthouse.importImage",
  "guesthouse.validateImage",
  "guesthouse.deleteImage",
  "guesthouse.showImageFailure",
  // images/createWindows.ts
  "guesthouse.createWindowsImage",
  // host/hostCommands.ts
  "guesthouse.doctor",
  "guesthouse.installTools",
  // storage/storageCommands.ts
  "guesthouse.showDiskUsage",
  "guesthouse.reclaimDiskSpace",
  // work/workCommands.ts
  "guesthouse.cancel",
  "guesthouse.showWork",
  // helper/connectionCommands.ts
  "guesthouse.refresh",
  "guesthouse.showHelperLog",
  "guesthouse.restartHelper",
  "guesthouse.reportProblem",
] as const;

export type CommandId = (typeof commandIds)[number];

/** What runs; arguments come from trees (an id, then all selected ids), menus, links and other extensions. */
export type Command = (...args: readonly unknown[]) => Promise<void>;

/** A capability's share of the table. */
export type CommandsOf<I extends CommandId> = { readonly [K in I]: Command };

/** The whole table: forgetting a command does not compile. */
export type Commands = CommandsOf<CommandId>;

/** What a room of the extension gives to its window: commands, and an end. */
export interface Room<I extends CommandId> {
  readonly commands: CommandsOf<I>;
  dispose(): void;
}
