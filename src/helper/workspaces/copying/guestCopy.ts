import { refused } from "../../../protocol/failure.ts";
import type { GuestSystem } from "../../../protocol/images.ts";
import { copyPathIn, copyPathOut } from "./copy.ts";
import { copyFolderIn } from "./copyFolder.ts";
import { copyFolderToWindows, copyPathToWindows } from "./copyToWindows.ts";

/** Files into a guest and out of it. */
export interface GuestCopy {
  readonly folderIn: typeof copyFolderIn;
  readonly pathIn: typeof copyPathIn;
  readonly pathOut: typeof copyPathOut;
}

/** By what runs in the guest: where there is a POSIX shell with tar, and where there is SFTP only. */
export const guestCopy: Readonly<Record<GuestSystem, GuestCopy>> = {
  linux: {
    folderIn: copyFolderIn,
    pathIn: copyPathIn,
    pathOut: copyPathOut,
  },
  windows: {
    folderIn: copyFolderToWindows,
    pathIn: copyPathToWindows,
    pathOut: () =>
      Promise.reject(
        refused(
          "workspaces.notSupported",
          "Copying out of a guest with Windows can't be done by Guesthouse yet.",
          { remedy: "Use scp with the machine's alias: scp -r ALIAS:path ." },
        ),
      ),
  },
};
