import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../../base/log.ts";
import type { Reach } from "../ssh/reach.ts";
import { Shares } from "../workspaces/share/shares.ts";
import type { WorkspaceRoom } from "../workspaces/upHandlers.ts";

export interface SharedFoldersDeps {
  readonly reach: Reach;
  readonly room: () => WorkspaceRoom;
  /** The product's `resources/`. */
  readonly resources: string;
  readonly log: Log;
}

/** The folders of this computer that guests have mounted. */
export const createShares = ({
  reach,
  room,
  resources,
  log,
}: SharedFoldersDeps): Shares =>
  new Shares({
    program: () => readFile(join(resources, "guest", "share", "share.py")),
    target: (id) => reach.running(id),
    specOf: (id) => room().shareOf(id),
    onState: (id, failure) => room().noteShare(id, failure),
    log,
  });

/** The same way to a guest, which waits for a mount that is under way: whoever opens the folder shall not find it empty. */
export const afterMount = (reach: Reach, shares: Shares): Reach => ({
  ...reach,
  prepare: async (machine, signal) => {
    const where = await reach.prepare(machine, signal);
    await shares.settled((await reach.find(machine)).id, signal);
    return where;
  },
});

/** Why a machine is not to have copies of itself. */
export const unforkable = (room: WorkspaceRoom, id: string) =>
  room.shareOf(id) === undefined
    ? undefined
    : "it has a folder of this computer mounted, which its copy would write to as well.";
