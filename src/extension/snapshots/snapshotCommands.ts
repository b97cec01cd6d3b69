import {
  checkpointCommands,
  type CheckpointCommandDeps,
} from "./checkpointCommands.ts";
import { forkCommands, type ForkCommandDeps } from "./forkCommands.ts";
import {
  templateCommands,
  type TemplateCommandDeps,
} from "./templateCommands.ts";

/** What is done with kept states: forks, checkpoints, warm templates. */
export const snapshotCommands = (
  deps: ForkCommandDeps & CheckpointCommandDeps & TemplateCommandDeps,
) => ({
  ...forkCommands(deps),
  ...checkpointCommands(deps),
  ...templateCommands(deps),
});
