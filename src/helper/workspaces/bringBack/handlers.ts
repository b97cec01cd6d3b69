import { mkdtemp, rm } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { makePrivateFolder } from "../../../base/files.ts";
import type { bringBackMethods } from "../../../protocol/bringBack.ts";
import { refused } from "../../../protocol/failure.ts";
import type { HandlersOf } from "../../../protocol/contract.ts";
import type {
  UnsavedWork,
  WorkspaceFolder,
} from "../../../protocol/machines.ts";
import type { GuestAccess } from "../../ssh/guestAccess.ts";
import { bringBackFiles, bringBackPatch } from "./bringBack.ts";
import { bringBackAll } from "./bringBackAll.ts";
import { unsavedWork } from "./unsaved.ts";
import { withSession } from "../../ssh/guestSession.ts";

export interface BringBackDeps extends Pick<GuestAccess, "find" | "target"> {
  /** The folder that was copied into this machine. */
  readonly folderOf: (id: string) => WorkspaceFolder | undefined;
  /** Where scratch folders are made. */
  readonly scratch: string;
}

/** Asks a guest that can be reached now; undefined for a machine without a copied folder. */
export async function askForWork(
  deps: BringBackDeps,
  machine: string,
  signal: AbortSignal,
): Promise<UnsavedWork | undefined> {
  const { id } = await deps.find(machine);
  const folder = deps.folderOf(id);
  if (folder === undefined) return undefined;
  return withSession(
    deps,
    machine,
    (session) => unsavedWork({ session, folder: folder.guest }, signal),
    signal,
  );
}

export function bringBackHandlers(
  deps: BringBackDeps,
): HandlersOf<keyof typeof bringBackMethods> {
  const absolute = (path: string): string => {
    if (isAbsolute(path)) return path;
    throw refused("request.invalid", `“${path}” is not an absolute path.`, {
      remedy: "Give the whole path.",
    });
  };
  return {
    "bringBack.run": async ({ machine, way }, { signal }) => {
      const { id, name } = await deps.find(machine);
      const folder = deps.folderOf(id);
      if (folder === undefined) throw noFolder(name);
      const subject = `Work in the VM ${name}, not committed there`;
      const brought = await withSession(
        deps,
        machine,
        async (session) => {
          const workspace = { session, folder: folder.guest };
          switch (way.kind) {
            case "patch": {
              const file = absolute(way.file);
              return bringBackPatch(workspace, { file, subject }, signal);
            }
            case "files": {
              const to =
                way.folder === undefined ? undefined : absolute(way.folder);
              return bringBackFiles(workspace, { folder: to, subject }, signal);
            }
            case "branch":
              return inScratch((scratch) =>
                bringBackAll(
                  workspace,
                  {
                    folder: folder.local,
                    branch: way.branch ?? `guesthouse/${name}`,
                    named: way.branch !== undefined,
                    subject,
                    scratch: () => mkdtemp(join(scratch, "repository-")),
                  },
                  signal,
                ),
              );
          }
        },
        signal,
      );
      return { brought };
    },
    "bringBack.unsaved": async ({ machine }, { signal }) => {
      const work = await askForWork(deps, machine, signal);
      if (work === undefined) throw noFolder((await deps.find(machine)).name);
      return { work };
    },
  };

  async function inScratch<T>(
    work: (folder: string) => Promise<T>,
  ): Promise<T> {
    await makePrivateFolder(deps.scratch);
    const folder = await mkdtemp(join(deps.scratch, "bring-back-"));
    try {
      return await work(folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

const noFolder = (name: string): Error =>
  refused("request.invalid", `No folder was copied into “${name}”.`, {
    remedy: "Copy single files with `guesthouse cp`.",
  });
