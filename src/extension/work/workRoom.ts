import type { Image } from "../../protocol/images.ts";
import type { Machine } from "../../protocol/machines.ts";
import type { Workspace } from "../../protocol/workspaces.ts";
import type { Template } from "../../protocol/templates.ts";
import type { Call } from "../helper/connection.ts";
import type { Records } from "../helper/records.ts";
import type { Room } from "../window/commandIds.ts";
import { type Job, jobsOf } from "./jobs.ts";
import { createStatusBar } from "./statusBar.ts";
import { workCommands } from "./workCommands.ts";

export interface WorkRoomDeps {
  readonly call: Call;
  readonly machines: Records<Machine>;
  readonly images: Records<Image>;
  readonly templates: Records<Template>;
  readonly workspaces: Records<Workspace>;
}

/** What goes on in the background, of whatever kind: in the status bar, and to be cancelled. */
export function createWorkRoom({
  call,
  machines,
  images,
  templates,
  workspaces,
}: WorkRoomDeps): Room<"guesthouse.cancel" | "guesthouse.showWork"> {
  const jobs = (): Job[] =>
    jobsOf(machines.all(), images.all(), templates.all(), workspaces.all());
  const statusBar = createStatusBar(jobs, [
    machines.onDidChange,
    images.onDidChange,
    templates.onDidChange,
    workspaces.onDidChange,
  ]);
  return {
    commands: workCommands(call, jobs),
    dispose: () => statusBar.dispose(),
  };
}
