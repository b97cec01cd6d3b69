import { link, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { faultPoint } from "../../../base/faultPoint.ts";
import {
  allocatedBytes,
  makePrivateFolder,
  syncFile,
} from "../../../base/files.ts";
import type { GuestSystem } from "../../../protocol/images.ts";
import { endAbandoned } from "../../guests/boot/oneBoot.ts";
import { type Connection, connectNetwork } from "../../networks/connect.ts";
import { newMacAddress } from "../../networks/macAddress.ts";
import { createOverlay } from "../../qemu/block.ts";
import type { TemplateRecord } from "../../snapshots/templates.ts";
import { newLayerId } from "../../snapshots/layers.ts";
import { emptyOverlay, folderBytes } from "../../snapshots/templates.ts";
import type { Layout } from "../../store/layout.ts";
import { can } from "../roster/systems.ts";
import { orDiskFull } from "../boot/fullDisk.ts";
import { requireRoom } from "./templateFailure.ts";
import {
  type BootTemplate,
  type Connect,
  removeStateSocket,
  type TemplateMaking,
  templatePrefix,
} from "./templateMaking.ts";
import { bootLinuxTemplate } from "./linuxTemplate.ts";
import { bootWindowsTemplate } from "./windowsTemplate.ts";

/** Steps of making a template that a test may end the helper at, and at the first two its QEMU. */
export const templateFaults = [
  "template.launched",
  "template.booted",
  "template.saved",
  "template.linked",
] as const;

const prefix = templatePrefix;
/** What a template's own network hands out; its clones have others. */
const address = { guestAddress: "10.0.2.15", firstLease: "10.0.2.15" };

/**
 * Boots the image once, lets it come to rest, makes it forget who it is, and keeps its memory, its devices' state and
 * its disk. Nothing stays behind when it fails: `templates.failed`, or what starting QEMU throws.
 * A guest that can't be told who it is can't be a template: `templates.failed` too.
 */
export async function makeTemplate(
  making: TemplateMaking,
  signal: AbortSignal,
): Promise<TemplateRecord> {
  const files = making.layout.template(making.id);
  const layer = newLayerId();
  const layerPath = making.layout.layer(layer);
  await rm(files.folder, { recursive: true, force: true });
  await makePrivateFolder(files.folder);
  try {
    await requireRoom(files.folder, making.shape);
    const macAddress = newMacAddress();
    const network = await bootAndSave(making, macAddress, signal);
    await makePrivateFolder(dirname(layerPath));
    // A second name first: at every moment something that is looked at stands on the layer.
    await link(files.disk, layerPath);
    faultPoint("template.linked");
    await createOverlay(
      { path: emptyOverlay(files), backingPath: layerPath },
      signal,
    );
    await syncFile(files.memory);
    await syncFile(layerPath);
    const now = new Date().toISOString();
    return {
      format: 1,
      id: making.id,
      image: { name: making.image.name, digest: making.image.digest },
      shape: making.shape,
      layer,
      network,
      ...(can[making.image.os].changeCard
        ? {}
        : { card: { macAddress, guestAddress: address.guestAddress } }),
      createdAt: now,
      lastUsedAt: now,
      sizeBytes:
        (await folderBytes(files.folder)) + (await allocatedBytes(layerPath)),
    };
  } catch (error) {
    const told = await orDiskFull(error, files.folder);
    await rm(files.folder, { recursive: true, force: true });
    await rm(layerPath, { force: true });
    await removeStateSocket(making);
    throw told;
  }
}

async function bootAndSave(
  making: TemplateMaking,
  macAddress: string,
  signal: AbortSignal,
): Promise<TemplateRecord["network"]> {
  const { id, environment, layout, log } = making;
  const files = layout.template(id);
  const network = {
    socketPath: join(layout.run, `${prefix}${id}.net`),
    pidFile: join(layout.run, `${prefix}${id}.net.pid`),
  };
  let connection: Connection | undefined;
  const connect: Connect = async (hostPort) => {
    connection = await connectNetwork(
      environment.network,
      {
        ...network,
        ...address,
        logPath: join(files.folder, "network.log"),
        cwd: files.folder,
        forwards: [{ hostPort, guestPort: 22 }],
      },
      log,
      signal,
    );
    return connection.network;
  };
  try {
    await boot[making.image.os](making, macAddress, connect, signal);
    return connection?.network.backend ?? "user";
  } finally {
    // It goes with QEMU; this is for a QEMU that never came.
    await connection?.end();
    for (const path of Object.values(network)) await rm(path, { force: true });
  }
}

const boot: Readonly<Record<GuestSystem, BootTemplate>> = {
  linux: bootLinuxTemplate,
  windows: bootWindowsTemplate,
};

/** A helper that was killed leaves its template's machine running; nobody needs it any more. */
export async function endAbandonedTemplates(layout: Layout): Promise<void> {
  await endAbandoned(layout, prefix);
}
