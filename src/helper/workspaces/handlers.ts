import { basename } from "node:path";
import type { z } from "zod";
import type { HandlersOf } from "../../protocol/contract.ts";
import type { copyProgressSchema } from "../../protocol/workspaces.ts";
import type { Reach } from "../ssh/reach.ts";
import type { SshSession } from "../ssh/session.ts";
import { type GuestCopy, guestCopy } from "./guestCopy.ts";
import { withSession } from "./guestSession.ts";
import type { CopyProgress } from "./pack.ts";
import type { DiskWay } from "./sendByDisk.ts";

export interface WorkspaceHandlerDeps extends Pick<Reach, "find" | "target"> {
  readonly onCopied: (progress: z.output<typeof copyProgressSchema>) => void;
  /** How this machine is lent a disk; without it everything goes through SSH. */
  readonly diskWay?: (id: string) => DiskWay;
  /** A folder of the host now has its copy in a guest. */
  readonly onFolder?: (
    id: string,
    folder: { readonly local: string; readonly guest: string },
  ) => void | Promise<void>;
}

export function workspaceHandlers(
  deps: WorkspaceHandlerDeps,
): HandlersOf<"workspaces.copyIn" | "workspaces.copy"> {
  /** Opens a session, lets `copy` report its progress as notices, closes the session. */
  const inGuest = async <T extends CopyProgress>(
    machine: string,
    signal: AbortSignal,
    copy: (
      ways: GuestCopy,
      session: SshSession,
      onProgress: (progress: CopyProgress) => void,
    ) => Promise<T>,
  ): Promise<T> => {
    const { id, os } = await deps.find(machine);
    return withSession(
      deps,
      machine,
      async (session) => {
        const done = await copy(guestCopy[os], session, ({ files, bytes }) =>
          deps.onCopied({ machine: id, files, bytes, done: false }),
        );
        const { files, bytes } = done;
        deps.onCopied({ machine: id, files, bytes, done: true });
        return done;
      },
      signal,
    );
  };

  return {
    "workspaces.copyIn": async (
      { machine, folder, target, overwrite, disk },
      { signal },
    ) => {
      const { id } = await deps.find(machine);
      const copied = await inGuest(
        machine,
        signal,
        (ways, session, onProgress) =>
          ways.folderIn(
            session,
            {
              folder,
              target: target ?? basename(folder),
              ...(overwrite === undefined ? {} : { overwrite }),
              ...(deps.diskWay === undefined || disk === false
                ? {}
                : { disk: deps.diskWay(id) }),
            },
            onProgress,
            signal,
          ),
      );
      await deps.onFolder?.(id, { local: folder, guest: copied.guestFolder });
      return copied;
    },
    "workspaces.copy": ({ machine, direction, source, target }, { signal }) =>
      inGuest(machine, signal, (ways, session, onProgress) =>
        direction === "in"
          ? ways.pathIn(session, source, target, onProgress, signal)
          : ways.pathOut(session, source, target, onProgress, signal),
      ),
  };
}
