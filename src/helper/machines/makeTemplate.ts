import { randomUUID } from "node:crypto";
import { link, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { faultPoint } from "../../base/faultPoint.ts";
import {
  allocatedBytes,
  makePrivateFolder,
  syncFile,
} from "../../base/files.ts";
import type { GuestSystem } from "../../protocol/images.ts";
import { withAgent } from "../guests/agent.ts";
import { openHandoff } from "../guests/handoff.ts";
import { hostSettings } from "../guests/hostSettings.ts";
import { bootOnce, endAbandoned } from "../guests/oneBoot.ts";
import { watchBoot } from "../guests/readiness.ts";
import { bootTimeoutMs } from "../guests/timeouts.ts";
import { type Connection, connectNetwork } from "../networks/connect.ts";
import { newMacAddress } from "../networks/macAddress.ts";
import { createOverlay } from "../qemu/block.ts";
import type { VmNetwork } from "../qemu/commandLine.ts";
import type { TemplateRecord } from "../snapshots/templates.ts";
import { newLayerId } from "../snapshots/layers.ts";
import { emptyOverlay, folderBytes } from "../snapshots/templates.ts";
import type { Layout } from "../store/layout.ts";
import { keepsCard } from "./addresses.ts";
import { orDiskFull } from "./fullDisk.ts";
import { specOf } from "./spec.ts";
import { cantBe, endedEarly, requireRoom } from "./templateFailure.ts";
import {
  type BootTemplate,
  removeStateSocket,
  saveAndEnd,
  type TemplateMaking,
  templatePrefix,
} from "./templateMaking.ts";
import { bootWindowsTemplate } from "./windowsTemplate.ts";

/** Steps of making a template that a test may end the helper at, and at the first two its QEMU. */
export const templateFaults = [
  "template.launched",
  "template.booted",
  "template.saved",
  "template.linked",
] as const;

const gib = 1024 ** 3;
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
      ...(keepsCard[making.image.os]
        ? { card: { macAddress, guestAddress: address.guestAddress } }
        : {}),
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
  const connect = async (hostPort: number): Promise<VmNetwork> => {
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

const bootLinux: BootTemplate = async (making, macAddress, connect, signal) => {
  const { id, image, shape, environment, layout, onStage } = making;
  const files = layout.template(id);
  const settings = await hostSettings();
  await createOverlay(
    {
      path: files.disk,
      backingPath: image.files.disk,
      sizeBytes: Math.ceil(shape.diskGiB * gib),
    },
    signal,
  );
  onStage("boot");
  await using machine = await bootOnce(
    layout,
    {
      prefix,
      id,
      folder: files.folder,
      log: join(layout.logs, `template-${id}.log`),
      seed: {
        instanceId: `guesthouse-template-${id}`,
        hostname: "guesthouse-template",
        user: shape.user,
        // No MAC address: its clones' cards have others.
        ...(settings.timezone === undefined
          ? {}
          : { timezone: settings.timezone }),
      },
      settings,
      binary: environment.binary,
      spec: async (own, sshPort) => ({
        ...(await specOf(
          {
            name: "guesthouse-template",
            uuid: randomUUID(),
            cpus: shape.cpus,
            memoryMiB: shape.memoryMiB,
            screen: shape.screen,
            macAddress,
            vmGenerationId: randomUUID(),
          },
          image,
          environment,
          { ...own, disk: files.disk },
        )),
        memoryFile: { path: files.memory, shared: true },
        network: await connect(sshPort),
      }),
    },
    signal,
  );
  const { launched, watch } = machine;
  const within = AbortSignal.any([signal, machine.gone]);
  try {
    faultPoint("template.launched", launched.pid);
    const outcome = await watchBoot(
      {
        ...watch,
        timeoutMs: bootTimeoutMs({
          accelerator: environment.accelerator.kind,
          expectedBootSeconds: image.expectedBootSeconds,
        }),
      },
      () => undefined,
      within,
    );
    if (outcome.kind !== "ready")
      throw cantBe(
        `“${image.name}” was not reached within ${String(Math.round((Date.now() - watch.startedAtMs) / 1000))} s`,
      );
    faultPoint("template.booted", launched.pid);
    onStage("settle");
    await settle(making, machine.files, within);
    await saveAndEnd(making, launched, signal);
  } catch (error) {
    throw machine.gone.aborted && !signal.aborted
      ? await endedEarly(files.folder, error)
      : error;
  }
};

const boot: Readonly<Record<GuestSystem, BootTemplate>> = {
  linux: bootLinux,
  windows: bootWindowsTemplate,
};

/** A first boot goes on for a while after SSH: what cloud-init does last must not be done again in each clone. */
const cloudInitTimeoutMs = 300_000;
const serviceTimeoutMs = 60_000;

async function settle(
  { image }: TemplateMaking,
  own: { readonly agentSocket: string; readonly handoff: string },
  signal: AbortSignal,
): Promise<void> {
  await withAgent(
    own.agentSocket,
    { timeoutMs: 10_000 },
    async (agent, within) => {
      await agent.exec(
        ["cloud-init", "status", "--wait"],
        { timeoutMs: cloudInitTimeoutMs },
        within,
      );
    },
    signal,
  );
  // The service proves itself in the template, or no clone of it would ever be itself.
  const handoff = await openHandoff(own.handoff);
  try {
    handoff.prepare({});
    const { kind } = await handoff.complete(
      { timeoutMs: serviceTimeoutMs },
      signal,
    );
    if (kind !== "applied")
      throw cantBe(
        `the guest service of “${image.name}” does not answer (${kind})`,
      );
  } finally {
    handoff.close();
  }
  await withAgent(
    own.agentSocket,
    { timeoutMs: 10_000 },
    async (agent, within) => {
      const { code, stderr } = await agent.exec(
        ["/usr/lib/guesthouse/settle"],
        { timeoutMs: serviceTimeoutMs },
        within,
      );
      if (code !== 0)
        throw cantBe(
          `“${image.name}” could not be made to forget itself: ${stderr.trim()}`,
        );
    },
    signal,
  );
}

/** A helper that was killed leaves its template's machine running; nobody needs it any more. */
export async function endAbandonedTemplates(layout: Layout): Promise<void> {
  await endAbandoned(layout, prefix);
}
