import { lstat } from "node:fs/promises";
import { refused } from "../protocol/failure.ts";

/**
 * A folder for sockets below a shared one (`/tmp`) has a name that anybody can work out: somebody else may have made it first,
 * with a socket in it that answers in our helper's name (F44). So it's looked at by the helper and by each client, before
 * anything in it is believed. Refuses with `helper.unreachable`; fails with ENOENT where there is none.
 */
export async function requireOwnFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const found = await lstat(folder);
  const isOpen = (found.mode & 0o077) !== 0;
  if (found.isDirectory() && found.uid === process.getuid?.() && !isOpen)
    return;
  throw refused(
    "helper.unreachable",
    `The folder for sockets, ${folder}, belongs to another user or is open to others.`,
    {
      remedy: "Remove that folder, or set XDG_RUNTIME_DIR to one of your own.",
    },
  );
}
