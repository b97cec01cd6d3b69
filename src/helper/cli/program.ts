import { Command } from "commander";
import { version } from "../../base/version.ts";
import { addCompletion } from "./completion.ts";
import { addDaemonCommands } from "./daemon.ts";
import { addDoctorCommand } from "./doctor.ts";
import { addProxyCommand } from "./proxy.ts";
import { addImageCommands } from "./images/images.ts";
import { addCheckpointCommands } from "./machines/checkpoints.ts";
import { addCopyCommand } from "./machines/cp.ts";
import { addCreateCommand } from "./machines/create.ts";
import { addDeleteCommand } from "./machines/delete.ts";
import { addForkCommand } from "./machines/fork.ts";
import { addInspectCommands } from "./machines/inspect.ts";
import { addOpenCommand } from "./machines/open.ts";
import { addPoolCommands } from "./machines/pool.ts";
import {
  addPauseCommands,
  addStartCommands,
  addStopCommand,
} from "./machines/power.ts";
import { addScreenCommand } from "./machines/screen.ts";
import { addSelfTestCommand } from "./machines/selfTest.ts";
import { addSetCommand } from "./machines/set.ts";
import { addSshCommand } from "./machines/ssh.ts";
import { addSshConfigCommand } from "./machines/sshConfig.ts";
import { addStorageCommands } from "./machines/storage.ts";
import { addTemplateCommands } from "./machines/templates.ts";
import { exitCodes, exitCodesHelp } from "./terminal/exitCodes.ts";
import { addBringBackCommand } from "./workspaces/bringBack.ts";
import { addDownCommand } from "./workspaces/down.ts";
import { addExecCommand } from "./workspaces/exec.ts";
import { addWorkspaceListCommands } from "./workspaces/list.ts";
import { addLockCommand } from "./workspaces/lock.ts";
import { addLogsCommand } from "./workspaces/logs.ts";
import { addPrebuildCommand } from "./workspaces/prebuild.ts";
import { addUpCommands } from "./workspaces/up.ts";

/** The whole command line; its help lists the commands in this order. */
export function createProgram(): Command {
  const program = new Command("guesthouse")
    .description("Virtual machines for your editor: clone, boot, open.")
    .version(version)
    .showHelpAfterError("(guesthouse help shows what there is)")
    .enablePositionalOptions()
    .addHelpText("after", exitCodesHelp);
  addUpCommands(program);
  addExecCommand(program);
  addLockCommand(program);
  addDownCommand(program);
  addPrebuildCommand(program);
  addWorkspaceListCommands(program);
  addCreateCommand(program);
  addStartCommands(program);
  addStopCommand(program);
  addPauseCommands(program);
  addSetCommand(program);
  addDeleteCommand(program);
  addForkCommand(program);
  addCheckpointCommands(program);
  addInspectCommands(program);
  addScreenCommand(program);
  addSshCommand(program);
  addCopyCommand(program);
  addLogsCommand(program);
  addSshConfigCommand(program);
  addOpenCommand(program);
  addBringBackCommand(program);
  addImageCommands(program);
  addTemplateCommands(program);
  addPoolCommands(program);
  addStorageCommands(program);
  addDoctorCommand(program);
  addSelfTestCommand(program);
  addDaemonCommands(program);
  addProxyCommand(program);
  addCompletion(program);
  for (const command of everyCommand(program)) {
    command.exitOverride((error) => {
      process.exit(error.exitCode === 0 ? exitCodes.ok : exitCodes.usage);
    });
  }
  return program;
}

function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}
