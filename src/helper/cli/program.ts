import { Command } from "commander";
import { version } from "../../base/version.ts";
import { addBringBackCommand } from "./bringBack.ts";
import { addCheckpointCommands } from "./checkpoints.ts";
import { addCompletion } from "./completion.ts";
import { addConnectCommands } from "./connect.ts";
import { addDaemonCommands } from "./daemon.ts";
import { addDoctorCommand } from "./doctor.ts";
import { exitCodes, exitCodesHelp } from "./exitCodes.ts";
import { addImageCommands } from "./images.ts";
import { addInspectCommands } from "./inspect.ts";
import { addMachineCommands } from "./machines.ts";
import { addPoolCommands } from "./pool.ts";
import { addPrebuildCommand } from "./prebuild.ts";
import { addProxyCommand } from "./proxy.ts";
import { addScreenCommand } from "./screen.ts";
import { addSelfTestCommand } from "./selfTest.ts";
import { addStorageCommands } from "./storage.ts";
import { addTemplateCommands } from "./templates.ts";
import { addWorkspaceListCommands } from "./workspaceList.ts";
import { addWorkspaceCommands } from "./workspaces.ts";

/** The whole command line. */
export function createProgram(): Command {
  const program = new Command("guesthouse")
    .description("Virtual machines for your editor: clone, boot, open.")
    .version(version)
    .showHelpAfterError("(guesthouse help shows what there is)")
    .enablePositionalOptions()
    .addHelpText("after", exitCodesHelp);
  addWorkspaceCommands(program);
  addPrebuildCommand(program);
  addWorkspaceListCommands(program);
  addMachineCommands(program);
  addCheckpointCommands(program);
  addInspectCommands(program);
  addScreenCommand(program);
  addConnectCommands(program);
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
