/*
 * Makes a machine of another one: a fork or a branch. As in `create.ts` its record is written last; what it begins with
 * is put into its folder by the caller, who holds the parent's lock.
 */
import { rm } from "node:fs/promises";
import { given } from "../../../base/given.ts";
import { faultPoint } from "../../../base/faultPoint.ts";
import { makePrivateFolder } from "../../../base/files.ts";
import type { Log } from "../../../base/log.ts";
import { createOverlay } from "../../qemu/block.ts";
import { readQcow2Header } from "../../qemu/qcow2.ts";
import { captureFaults } from "../../snapshots/capture.ts";
import { unpinHost } from "../../ssh/knownHosts.ts";
import type { Layout, MachineFiles } from "../../store/layout.ts";
import {
  type CheckpointRecord,
  type MachineRecord,
  removeFolder,
} from "../../store/records.ts";
import { freeAddress } from "../identity/addresses.ts";
import { mark } from "../roster/bootLog.ts";
import { giveHostKey } from "../identity/seed.ts";
import type { Entry } from "../roster/entry.ts";
import { claimName, newIdentity } from "../identity/names.ts";
import { can } from "../roster/systems.ts";
import type { MachineRegistry } from "../roster/registry.ts";
import type { Taker } from "../boot/savedWith.ts";

export interface SnapshotDeps {
  readonly layout: Layout;
  readonly registry: MachineRegistry;
  readonly log: Log;
  /** Machines of this image came or went. */
  readonly usersChanged: (digest: string) => Promise<void>;
  /** What machines of this image would be run with now. */
  readonly survey: (digest: string, signal: AbortSignal) => Promise<Taker>;
}

/** Steps of a fork that a test may end the helper at. */
export const forkFaults = [
  "fork.folder",
  ...captureFaults,
  "fork.disk",
  "fork.identity",
  "fork.recorded",
] as const;

/** What a new machine begins with: a frozen disk, and perhaps a kept memory, which lies in its folder by then. */
export interface Inheritance {
  readonly layer: string;
  readonly resumeFrom: MachineRecord["resumeFrom"];
}

export interface OffspringWish<T extends Inheritance = Inheritance> {
  readonly name?: string | undefined;
  /** The checkpoint that it begins at. */
  readonly checkpoint?: string | undefined;
  /** These must be what its memory was kept with. */
  readonly shape: CheckpointRecord["shape"];
  /** Puts into the new machine's folder what it begins with. */
  readonly fill: (files: MachineFiles) => Promise<T>;
}

/**
 * Makes a machine that begins as another one is or was: the same devices, an identity of its own (B4). Everything of
 * it is made before its record, so that after a crash it is there whole or not at all. The caller holds the parent's
 * lock, which keeps the layer from being removed meanwhile.
 */
export async function makeOffspring<T extends Inheritance>(
  parent: MachineRecord,
  wish: OffspringWish<T>,
  { layout, registry, log, usersChanged }: SnapshotDeps,
  signal: AbortSignal,
): Promise<{ entry: Entry; inherited: T }> {
  const draft = draftOf(parent, wish, registry);
  const entry = registry.draft(draft, "disk");
  const files = layout.machine(draft.id);
  try {
    await makePrivateFolder(files.folder);
    await makePrivateFolder(layout.logs);
    await mark(
      files.log,
      `${draft.name} (${draft.id}), from ${parent.name} (${parent.id})`,
    );
    faultPoint("fork.folder");
    const inherited = await wish.fill(files);
    const backingPath = layout.layer(inherited.layer);
    const { virtualSizeBytes } = await readQcow2Header(backingPath);
    await createOverlay(
      {
        path: files.disk,
        backingPath,
        sizeBytes: virtualSizeBytes,
        backingInUse: true,
      },
      signal,
    );
    faultPoint("fork.disk");
    registry.enterCreation(entry, "seed");
    const record = await giveHostKey(
      {
        ...draft,
        ...given({ resumeFrom: inherited.resumeFrom }),
      },
      layout,
    );
    faultPoint("fork.identity");
    signal.throwIfAborted();
    await registry.commit(entry, record);
    faultPoint("fork.recorded");
    registry.enter(entry, { kind: "stopped", reason: "created" });
    await usersChanged(record.image.digest);
    log.info("machine made from another one", {
      machine: record.id,
      parent: parent.id,
      checkpoint: wish.checkpoint,
    });
    return { entry, inherited };
  } catch (error) {
    registry.remove(entry);
    await unpinHost(layout.ssh.knownHosts, draft.alias).catch(() => undefined);
    await removeFolder(files.folder).catch(() => undefined);
    // Nobody was ever told of it; the helper's log has the reason.
    await rm(files.log, { force: true });
    throw error;
  }
}

function draftOf(
  parent: MachineRecord,
  { name: wanted, checkpoint, shape }: OffspringWish,
  registry: MachineRegistry,
): MachineRecord {
  const base = `${parent.name.slice(0, 54)}-${checkpoint === undefined ? "fork" : "branch"}`;
  const name = claimName(wanted, base, registry.takenNames());
  return {
    format: 1,
    ...newIdentity(name, registry.takenAliases()),
    ...(can[parent.os].changeCard
      ? { guestAddress: freeAddress(registry.takenAddresses()) }
      : { guestAddress: parent.guestAddress, macAddress: parent.macAddress }),
    image: parent.image,
    os: parent.os,
    ...(parent.generalized === true ? { generalized: true } : {}),
    generation: parent.generation + 1,
    ...shape,
    user: parent.user,
    createdAt: new Date().toISOString(),
    hostPublicKey: "",
    agentForwarding: parent.agentForwarding,
    hostLoopback: parent.hostLoopback,
    // A port of the host belongs to one machine at a time.
    forwards: parent.forwards.map((forward) => ({ ...forward, hostPort: 0 })),
    // Its containers go on, and so does what leads into them.
    ...given({ landing: parent.landing, ports: parent.ports }),
    // What its work is must be asked of its own guest.
    ...(parent.folder === undefined
      ? {}
      : { folder: { ...parent.folder, work: undefined } }),
    parent: {
      id: parent.id,
      name: parent.name,
      ...given({ checkpoint }),
    },
    checkpoints: [],
    lastStop: { reason: "created" },
  };
}
