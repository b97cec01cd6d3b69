import { basename } from "node:path";
import type { z } from "zod";
import { given } from "../../../base/given.ts";
import type { HandlersOf } from "../../../protocol/contract.ts";
import type {
  copyingMethods,
  copyProgressSchema,
} from "../../../protocol/copying.ts";
import type { GuestAccess } from "../../ssh/guestAccess.ts";
import type { SshSession } from "../../ssh/session.ts";
import { type GuestCopy, guestCopy } from "./guestCopy.ts";
import { withSession } from "../../ssh/guestSession.ts";
import type { CopyProgress } from "../files/pack.ts";
import type { DiskLender } from "./sendByDisk.ts";

export interface CopyingDeps extends Pick<GuestAccess, "find" | "target"> {
  readonly onCopied: (progress: z.output<typeof copyProgressSchema>) => void;
  /** How this machine is lent a disk; without it everything goes through SSH. */
  readonly diskLender?: (id: string) => DiskLender;
  /** A folder of the host now has its copy in a guest. */
  readonly onFolder?: (
    id: string,
    folder: { readonly local: string; readonly guest: string },
  ) => void | Promise<void>;
}

export function copyingHandlers(
  deps: CopyingDeps,
): HandlersOf<keyof typeof copyingMethods> {
  /** Opens a session, lets `copy` report its progress as notices, closes the session. */
  const inGuest = async <T extends CopyProgress>(
    machine: string,
    signal: AbortSignal,
    copy: (
      of: GuestCopy,
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
    "copying.folder": async (
      { machine, folder, target, overwrite, disk },
      { signal },
    ) => {
      const { id } = await deps.find(machine);
      const copied = await inGuest(machine, signal, (of, session, onProgress) =>
        of.folderIn(
          session,
          {
            folder,
            target: target ?? basename(folder),
            ...given({ overwrite }),
            ...(deps.diskLender === undefined || disk === false
              ? {}
              : { disk: deps.diskLender(id) }),
          },
          onProgress,
          signal,
        ),
      );
      await deps.onFolder?.(id, { local: folder, guest: copied.guestFolder });
      return copied;
    },
    "copying.path": ({ machine, direction, source, target }, { signal }) =>
      inGuest(machine, signal, ({ pathIn, pathOut }, session, onProgress) => {
        const copyPath = direction === "in" ? pathIn : pathOut;
        return copyPath(session, { source, target }, onProgress, signal);
      }),
  };
}
