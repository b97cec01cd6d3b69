/** Every command that package.json contributes; `test/unit/extension/manifest.test.ts` compares the two. */
export const commandIds = [
  "guesthouse.createMachine",
  "guesthouse.createMachineWithOptions",
  "guesthouse.startMachine",
  "guesthouse.stopMachine",
  "guesthouse.forceStopMachine",
  "guesthouse.restartMachine",
  "guesthouse.pauseMachine",
  "guesthouse.resumeMachine",
  "guesthouse.suspendMachine",
  "guesthouse.forkMachine",
  "guesthouse.createCheckpoint",
  "guesthouse.rollBack",
  "guesthouse.branchFromCheckpoint",
  "guesthouse.deleteCheckpoint",
  "guesthouse.renameMachine",
  "guesthouse.resizeMachine",
  "guesthouse.deleteMachine",
  "guesthouse.openMachine",
  "guesthouse.openMachineInNewWindow",
  "guesthouse.openMachineInCurrentWindow",
  "guesthouse.openEmptyWindow",
  "guesthouse.openMachineFolder",
  "guesthouse.openFolderInNewMachine",
  "guesthouse.bringBackWork",
  "guesthouse.reopenInMachine",
  "guesthouse.openFolderInMachine",
  "guesthouse.rebuildMachine",
  "guesthouse.reopenLocally",
  "guesthouse.showWorkspaceLog",
  "guesthouse.prebuildFolder",
  "guesthouse.openBranchInMachine",
  "guesthouse.cloneRepositoryInMachine",
  "guesthouse.cleanUp",
  "guesthouse.addConfiguration",
  "guesthouse.setSecrets",
  "guesthouse.sshInTerminal",
  "guesthouse.copySshCommand",
  "guesthouse.showBootLog",
  "guesthouse.showDiagnosis",
  "guesthouse.openConsole",
  "guesthouse.openScreen",
  "guesthouse.doctor",
  "guesthouse.installTools",
  "guesthouse.pullImage",
  "guesthouse.updateImage",
  "guesthouse.importImage",
  "guesthouse.validateImage",
  "guesthouse.deleteImage",
  "guesthouse.createMachineFromImage",
  "guesthouse.showImageFailure",
  "guesthouse.warmUpImage",
  "guesthouse.deleteTemplate",
  "guesthouse.showDiskUsage",
  "guesthouse.reclaimDiskSpace",
  "guesthouse.cancel",
  "guesthouse.showWork",
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
