/*
 * The room of folders and their VMs, with the folders that are mounted live. The registry of what was brought up comes
 * first (`knownWorkspaces`): machines ask it whether they may be forked, and mounts what they are to hold.
 */
import { join } from "node:path";
import type { HandlersOf } from "../../../protocol/contract.ts";
import type { bringBackMethods } from "../../../protocol/bringBack.ts";
import type { copyingMethods } from "../../../protocol/copying.ts";
import type { Machine } from "../../../protocol/machines.ts";
import type { sshMethods } from "../../../protocol/ssh.ts";
import { defaultImage, usualSize } from "../../machines/roster/shape.ts";
import { lendDisk, lentSerial } from "../../machines/running/lendDisk.ts";
import { createHttp } from "../../net/http.ts";
import { sshHandlers } from "../../ssh/handlers.ts";
import type { GuestAccess } from "../../ssh/guestAccess.ts";
import { bringBackHandlers } from "../../workspaces/bringBack/handlers.ts";
import { copyingHandlers } from "../../workspaces/copying/handlers.ts";
import type { DiskLender } from "../../workspaces/copying/sendByDisk.ts";
import { credentialsOf } from "../../workspaces/features/credentials.ts";
import {
  createWorkspaceRoom,
  type WorkspaceRoom,
} from "../../workspaces/handlers.ts";
import { GitCredentials } from "../../workspaces/credentials/gitCredentials.ts";
import { credentialsFor } from "../../workspaces/credentials/hostCredentials.ts";
import { KnownWorkspaces } from "../../workspaces/known/knownWorkspaces.ts";
import { createPrebuilds } from "../../workspaces/prebuild/prebuilds.ts";
import { readShareProgram } from "../../workspaces/share/program.ts";
import { shareRoom } from "../../workspaces/share/ofWorkspace.ts";
import { Shares } from "../../workspaces/share/shares.ts";
import {
  afterContainer,
  type ContainerRoom,
  containerRoom,
} from "./containers.ts";
import { machineVerbs } from "./machineVerbs.ts";
import type { ImageRoom } from "./images.ts";
import type { MachineRoom } from "./machines.ts";
import { type RoomOptions, resourcesFolder } from "./options.ts";
import type { Roster } from "./roster.ts";

/** What was brought up before, from the disk. */
export async function knownWorkspaces(
  { layout, log, tellAll }: RoomOptions,
  { registry, removed }: Roster,
): Promise<KnownWorkspaces> {
  const known = new KnownWorkspaces(
    layout,
    { list: () => registry.entries().map((entry) => registry.view(entry)) },
    (workspace) => tellAll("workspaces.changed", { workspace }),
    (id, revision) => tellAll("workspaces.removed", { id, revision }),
  );
  await known.load();
  removed.on(({ id }) => {
    known
      .machineGone(id)
      .catch((error: unknown) =>
        log.warn("a workspace's record can't be written", { error }),
      );
  });
  return known;
}

/** Why a machine is not to have copies of itself. */
export const unforkable = (
  known: KnownWorkspaces,
  id: string,
): string | undefined =>
  shareRoom(known).sharesOf(id).length === 0
    ? undefined
    : "it has a folder of this computer mounted, which its copy would write to as well.";

export interface FolderRoom {
  readonly workspaces: WorkspaceRoom;
  readonly shares: Shares;
  readonly gitCredentials: GitCredentials;
  readonly handlers: WorkspaceRoom["handlers"] &
    ContainerRoom["handlers"] &
    HandlersOf<
      | keyof typeof bringBackMethods
      | keyof typeof copyingMethods
      | keyof typeof sshMethods
    >;
  close(): Promise<void>;
}

export interface RoomsBelow {
  readonly known: KnownWorkspaces;
  readonly roster: Roster;
  readonly images: ImageRoom;
  readonly machines: MachineRoom;
}

export async function folderRoom(
  options: RoomOptions,
  { known, roster, images: { images }, machines }: RoomsBelow,
): Promise<FolderRoom> {
  const { reach, bringBack, handlers, published, onRosterChanged } = machines;
  const { layout, log, tellAll } = options;
  const { registry } = roster;
  const http = createHttp(process.env);
  const shares = liveMounts(options, known, reach);
  const gitCredentials = credentialsForGuests(options, known, reach);
  const containers = containerRoom(options, known, roster, { reach, shares });
  const diskLender = (id: string): DiskLender => ({
    lend: (path, work) => lendDisk(id, path, work, { registry, log }),
    serial: lentSerial,
    scratch: layout.work,
  });
  const forUp = {
    layout,
    log,
    reach,
    resources: resourcesFolder,
    http,
    credentials: credentialsOf(process.env),
    machines: machineVerbs(handlers, { registry, published, onRosterChanged }),
    engineProgram: containers.program,
    diskLender,
    onLogged: (id: string, offset: number, text: string) =>
      tellAll("workspaces.logged", { id, offset, text }),
    onCopied:
      (machine: string) => (progress: { files: number; bytes: number }) =>
        tellAll("copying.progress", { machine, ...progress, done: false }),
  };
  const workspaces = await createWorkspaceRoom({
    ...forUp,
    workspaces: known,
    shares,
    gitCredentials,
    prebuilds: await createPrebuilds({
      ...forUp,
      images,
      onPrebuilding: (progress) => tellAll("prebuilds.progress", progress),
    }),
    images: () => images.list(),
    defaultImage,
    usualSize,
    onFetching: (url, text) => tellAll("branches.fetching", { url, text }),
  });
  follow(roster, [shares, gitCredentials]);
  return {
    workspaces,
    shares,
    gitCredentials,
    handlers: {
      ...workspaces.handlers,
      ...containers.handlers,
      ...sshHandlers({
        files: layout.ssh,
        ...afterContainer(afterMount(reach, shares), containers.boots),
      }),
      ...bringBackHandlers(bringBack),
      ...copyingHandlers({
        ...reach,
        diskLender,
        onCopied: (progress) => tellAll("copying.progress", progress),
        onFolder: (id, folder) =>
          registry.rewrite(registry.find(id), { folder }),
      }),
    },
    close: async () => {
      await workspaces.close();
      gitCredentials.close();
      await shares.close();
      await containers.boots.close();
      await http.close();
    },
  };
}

/** Each machine is looked at now, and whenever it changes. */
function follow(
  { registry, changed }: Roster,
  watchers: readonly { changed(machine: Machine): void }[],
): void {
  for (const watcher of watchers) {
    changed.on((machine) => watcher.changed(machine));
    for (const entry of registry.entries())
      watcher.changed(registry.view(entry));
  }
}

/** The folders of this computer that guests have mounted. */
function liveMounts(
  { log }: RoomOptions,
  known: KnownWorkspaces,
  reach: GuestAccess,
): Shares {
  const ofWorkspaces = shareRoom(known);
  return new Shares({
    program: () => readShareProgram(join(resourcesFolder, "guest", "share")),
    target: (id) => reach.running(id),
    specsOf: (id) => ofWorkspaces.sharesOf(id),
    onState: (id, failure) => ofWorkspaces.noteShare(id, failure),
    log,
  });
}

/** Git in the guests of workspaces whose users said that it may ask here. */
function credentialsForGuests(
  { layout, log }: RoomOptions,
  known: KnownWorkspaces,
  reach: GuestAccess,
): GitCredentials {
  return new GitCredentials({
    target: async (id) => {
      const { gitCredentials, made } = known.ofMachine(id)?.record ?? {};
      if (gitCredentials === undefined) return undefined;
      const vm = await reach.running(id);
      return vm === undefined || made?.container === undefined
        ? vm
        : reach.landing(id);
    },
    credentials: async (id, question, signal) => {
      const entry = known.ofMachine(id);
      return entry?.record.gitCredentials === undefined
        ? []
        : credentialsFor(
            question,
            { folder: entry.record.folder, neutral: layout.home },
            signal,
          );
    },
    log,
  });
}

/** The same access to a guest, which waits for a mount that is under way: whoever opens the folder shall not find it empty. */
const afterMount = (reach: GuestAccess, shares: Shares): GuestAccess => ({
  ...reach,
  prepare: async (machine, signal) => {
    const where = await reach.prepare(machine, signal);
    await shares.awaitMount((await reach.find(machine)).id, signal);
    return where;
  },
});
