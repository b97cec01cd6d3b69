/*
 * Wires the rooms to each other, once, in one order: each gets those before it, and nobody refers to one that comes later.
 * Whoever wants to hear of a machine subscribes to the roster. Made by the server, which closes it when it ends.
 */
import type { HandlersOf, MethodName } from "../../protocol/contract.ts";
import type { helperMethods } from "../../protocol/helper.ts";
import type { storageMethods } from "../../protocol/storage.ts";
import { hostHandlers } from "../host/handlers.ts";
import { stalePrebuilds } from "../images/golden/stalePrebuilds.ts";
import { imageHandlers } from "../images/handlers.ts";
import { isLiving } from "../machines/roster/lifecycle.ts";
import {
  type IdleWatch,
  idleRulesFrom,
  watchIdle,
} from "../machines/running/idle.ts";
import { checkInclude } from "../ssh/checkInclude.ts";
import { leasedMachines } from "../ssh/leases.ts";
import { storageHandlers } from "../storage/handlers.ts";
import { type ImageRoom, imageRoom } from "./rooms/images.ts";
import { type MachineRoom, machineRoom } from "./rooms/machines.ts";
import type { RoomOptions } from "./rooms/options.ts";
import { type Roster, rosterRoom } from "./rooms/roster.ts";
import {
  type FolderRoom,
  folderRoom,
  knownWorkspaces,
  unforkable,
} from "./rooms/workspaces.ts";

export interface Capabilities {
  readonly handlers: HandlersOf<
    Exclude<MethodName, keyof typeof helperMethods>
  >;
  /** Work that must not be cut off is under way. */
  busy(): boolean;
  machinesRunning(): number;
  livingLogs(): { id: string; path: string }[];
  close(): Promise<void>;
}

interface Rooms {
  readonly roster: Roster;
  readonly images: ImageRoom;
  readonly machines: MachineRoom;
  readonly folders: FolderRoom;
}

/** Makes the rooms, and takes over what an earlier helper left. */
export async function createCapabilities(
  options: RoomOptions,
): Promise<Capabilities> {
  const { layout } = options;
  const roster = rosterRoom(options);
  const images = await imageRoom(options, roster);
  const known = await knownWorkspaces(options, roster);
  const machines = await machineRoom(options, roster, images, {
    unforkable: (id) => unforkable(known, id),
  });
  const below = { known, roster, images, machines };
  const folders = await folderRoom(options, below);
  const rooms = { roster, images, machines, folders };
  const idle = watchUse(options, rooms);
  const { registry } = roster;
  return {
    handlers: handlersOf(options, rooms),
    busy: () => isBusy(rooms) || idle.watching(),
    machinesRunning: () =>
      registry.entries().filter(({ state }) => isLiving(state)).length,
    livingLogs: () =>
      registry
        .entries()
        .filter(({ live }) => live !== undefined)
        .map(({ record }) => ({
          id: record.id,
          path: layout.machine(record.id).log,
        })),
    async close() {
      idle.close();
      await folders.close();
      await machines.close();
      await images.images.close();
    },
  };
}

function isBusy({ roster, images, machines, folders }: Rooms): boolean {
  return (
    images.working() ||
    machines.warm.busy() ||
    folders.workspaces.busy() ||
    folders.shares.size > 0 ||
    folders.gitCredentials.size > 0 ||
    machines.published.size > 0 ||
    roster.registry
      .entries()
      .some(({ state }) =>
        ["creating", "stopping", "deleting"].includes(state.kind),
      )
  );
}

/** Suspends, stops or deletes what nobody is connected to any more. */
function watchUse(
  { layout, log }: RoomOptions,
  { roster: { registry }, machines, folders: { workspaces } }: Rooms,
): IdleWatch {
  return watchIdle({
    rules: idleRulesFrom(process.env),
    running: () =>
      registry
        .entries()
        .filter(({ state }) => state.kind === "running")
        .map((entry) => registry.view(entry)),
    connected: () => leasedMachines(layout.leases),
    isBusy: (id) => registry.locks.busy(id) || workspaces.works(id),
    afterUse: (id) => workspaces.afterUse(id),
    act: async (machine, act) => {
      if (act !== "suspend") return workspaces.endUse(machine, act);
      const { signal } = new AbortController();
      const context = { requestId: "idle", signal };
      await machines.handlers["machines.suspend"]({ machine }, context);
    },
    log,
  });
}

function handlersOf(
  options: RoomOptions,
  rooms: Rooms,
): Capabilities["handlers"] {
  const { layout, log } = options;
  const { roster, images, machines, folders } = rooms;
  const templatesOfGoneImages = (): Promise<void> =>
    machines.templates.keepOnly(
      (digest) => roster.registry.imageNames(digest).length > 0,
    );
  return {
    ...hostHandlers({
      home: layout.home,
      acceleratorCache: layout.accelerator,
      networkCache: layout.networkTrials,
      log,
      extraChecks: async () => [await checkInclude(layout.ssh.config)],
    }),
    ...imageHandlers(images.images, templatesOfGoneImages),
    ...machines.handlers,
    ...folders.handlers,
    ...storageOf(options, rooms, templatesOfGoneImages),
  };
}

function storageOf(
  { layout }: RoomOptions,
  { roster: { registry }, images: made, ...rooms }: Rooms,
  templatesOfGoneImages: () => Promise<void>,
): HandlersOf<keyof typeof storageMethods> {
  const { images } = made;
  const { templates, pool } = rooms.machines;
  return storageHandlers({
    layout,
    registry,
    imageNames: (digest) => registry.imageNames(digest),
    imagesWorking: () => made.working() || rooms.folders.workspaces.busy(),
    pooled: (id) => pool.titleOf(id),
    removeTemplate: (id) => templates.remove(id),
    staleImages: async () =>
      stalePrebuilds(await images.list(), layout, Date.now()),
    removeImage: async (digest) => {
      const [name] = registry.imageNames(digest);
      if (name === undefined) return undefined;
      // Refused where a machine came in between.
      const freed = await images.remove(name).catch(() => undefined);
      await templatesOfGoneImages();
      return freed;
    },
  });
}
