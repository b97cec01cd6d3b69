import type { GuestSystem } from "../../../protocol/images.ts";
import { copyFolderIn } from "../copyFolder.ts";
import { stepsOf } from "../devcontainer/commands.ts";
import {
  guestRunner,
  prepareGuest,
  remember,
  writeEnvironment,
} from "./guest.ts";
import { runScript } from "./guestScripts.ts";
import type { GuestWay } from "./guestWay.ts";
import { windowsGuest } from "./windowsGuest.ts";

/** By what runs in the guest. */
export const guestWays: Readonly<Record<GuestSystem, GuestWay>> = {
  linux: {
    isPosix: true,
    stepsOf,
    prepare: prepareGuest,
    remember,
    copyIn: (session, copy, _marks, onProgress, signal) =>
      copyFolderIn(session, copy, onProgress, signal),
    writeEnvironment,
    runner: guestRunner,
    remoteCommand: runScript,
  },
  windows: windowsGuest,
};
