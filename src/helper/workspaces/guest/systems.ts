/*
 * The one place that tells the guests' systems apart: what can be done in each, and by which scripts. Who sets up a
 * workspace asks `can` and calls the operations, and never looks at the system's name. (How files are copied outside of an
 * `up` is in `../copying/guestCopy.ts`, by the same names.)
 */
import type { GuestSystem } from "../../../protocol/images.ts";
import { copyFolderIn } from "../copying/copyFolder.ts";
import { powerShellSteps, stepsOf } from "../devcontainer/lifecycleCommands.ts";
import { placeFiles, placeInWindows } from "../devcontainer/placing.ts";
import { runScript } from "./guestScripts.ts";
import {
  guestRunner,
  prepareGuest,
  remember,
  writeEnvironment,
} from "./linuxGuest.ts";
import type { SystemOps } from "./systemOps.ts";
import {
  copyIntoWindows,
  prepareWindows,
  rememberInWindows,
  windowsCommandLine,
  windowsRunner,
  writeWindowsEnvironment,
} from "./windowsGuest.ts";

export const guestOps: Readonly<Record<GuestSystem, SystemOps>> = {
  linux: {
    title: "Linux",
    can: {
      features: true,
      editor: true,
      dotfiles: true,
      gitCredentials: true,
      share: true,
      prebuild: true,
    },
    place: (folder, name, _user, wish) => placeFiles(folder, name, wish),
    usualSize: (usual) => usual,
    stepsOf,
    prepare: prepareGuest,
    remember,
    copyIn: copyFolderIn,
    writeEnvironment,
    runner: guestRunner,
    remoteCommand: runScript,
  },
  windows: {
    title: "Windows",
    can: {
      features: false,
      editor: false,
      dotfiles: false,
      gitCredentials: false,
      share: false,
      prebuild: false,
    },
    place: placeInWindows,
    // What is usual for Linux is too little.
    usualSize: (usual, diskGiB = 0) => ({
      ...usual,
      memoryMiB: Math.max(usual.memoryMiB, 4096),
      diskGiB: Math.max(usual.diskGiB, diskGiB),
    }),
    stepsOf: powerShellSteps,
    prepare: prepareWindows,
    remember: rememberInWindows,
    copyIn: copyIntoWindows,
    writeEnvironment: writeWindowsEnvironment,
    runner: windowsRunner,
    remoteCommand: windowsCommandLine,
  },
};
