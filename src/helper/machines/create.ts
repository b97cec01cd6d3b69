/*
 * Makes a machine of an image. Its folder is filled first and its record is written last, so that after a crash it is
 * there whole or not at all; whoever watches sees each step. Called by `machines.create` when no pooled clone fits.
 */
import { copyFile, rm } from "node:fs/promises";
import { faultPoint } from "../../base/faultPoint.ts";
import { makePrivateFolder } from "../../base/files.ts";
import type { Log } from "../../base/log.ts";
import type { ParsedParams } from "../../protocol/contract.ts";
import type { GoldenImage } from "../images/golden/goldenImage.ts";
import type { Images } from "../images/images.ts";
import { createOverlay } from "../qemu/block.ts";
import { unpinHost } from "../ssh/knownHosts.ts";
import { emptyOverlay, type Templates } from "../snapshots/templates.ts";
import type { Layout } from "../store/layout.ts";
import { removeFolder } from "../store/records.ts";
import { mark } from "./roster/bootLog.ts";
import { draft } from "./identity/draft.ts";
import type { Entry } from "./roster/entry.ts";
import type { MachineRegistry } from "./roster/registry.ts";
import { giveHostKey } from "./identity/seed.ts";
import { defaultImage, fitTo, shapeOf, suitedTo } from "./roster/shape.ts";
import type { Warm } from "./warm/warm.ts";

export interface CreateDeps {
  readonly layout: Layout;
  readonly registry: MachineRegistry;
  readonly images: Pick<Images, "obtain" | "usersChanged">;
  readonly templates: Templates;
  readonly warm: Pick<Warm, "find">;
  readonly log: Log;
}

const gib = 1024 ** 3;

/**
 * Makes a linked clone of an image, or of its warm template where there is one: an overlay of under a megabyte, a seed
 * and host key of its own (B1–B3), a record. The record is written last: a machine is there whole or not at all, also after a crash. The image is brought here
 * first when it is missing.
 */
export async function createMachine(
  params: ParsedParams<"machines.create">,
  deps: CreateDeps,
  signal: AbortSignal,
): Promise<Entry> {
  const { registry, layout, images } = deps;
  const imageName = params.image ?? defaultImage;
  const record = draft(params, imageName, registry);
  const entry = registry.draft(record, "image");
  const files = layout.machine(record.id);
  try {
    const image = await images.obtain(imageName, {}, undefined, signal);
    registry.redraft(entry, {
      image: { name: image.name, digest: image.digest },
      ...fitTo(params, image),
      ...suitedTo[image.os](params, image),
    });
    registry.enterCreation(entry, "disk");
    await makePrivateFolder(files.folder);
    await makePrivateFolder(layout.logs);
    await mark(files.log, `${record.name} (${record.id})`);
    await ((params.warm ?? true)
      ? makeWarmDisk(entry, image, deps, signal)
      : makeColdDisk(entry, image, layout, signal));
    registry.enterCreation(entry, "seed");
    const whole = await giveHostKey(entry.record, layout);
    signal.throwIfAborted();
    await registry.commit(entry, whole);
    faultPoint("clone.recorded");
  } catch (error) {
    registry.remove(entry);
    await unpinHost(layout.ssh.knownHosts, record.alias).catch(() => undefined);
    await removeFolder(files.folder).catch(() => undefined);
    // Nobody was ever told of it; the helper's log has the reason.
    await rm(files.log, { force: true });
    throw error;
  }
  registry.enter(entry, { kind: "stopped", reason: "created" });
  await images.usersChanged(entry.record.image.digest);
  deps.log.info("machine created", {
    machine: record.id,
    name: record.name,
    image: entry.record.image,
  });
  return entry;
}

/** Above the template that fits, whose state it will resume from; without one above the image, to boot. */
async function makeWarmDisk(
  entry: Entry,
  image: GoldenImage,
  deps: CreateDeps,
  signal: AbortSignal,
): Promise<void> {
  const { templates, layout } = deps;
  const { disk, variables, log } = layout.machine(entry.record.id);
  const shape = shapeOf(entry.record);
  const template = await deps.warm.find(shape, image, signal);
  if (template === undefined) {
    await mark(log, "no warm template of this image and shape: booting");
    return makeColdDisk(entry, image, layout, signal);
  }
  const files = templates.files(template.id);
  await copyFile(emptyOverlay(files), disk);
  if (template.card !== undefined) await copyFile(files.variables, variables);
  faultPoint("clone.disk");
  templates.used(template.id);
  deps.registry.redraft(entry, {
    // They are in the memory that it goes on from.
    ...template.card,
    resumeFrom: { kind: "template", id: template.id },
  });
}

const makeColdDisk = (
  { record }: Entry,
  image: GoldenImage,
  layout: Layout,
  signal: AbortSignal,
): Promise<void> =>
  createOverlay(
    {
      path: layout.machine(record.id).disk,
      backingPath: image.files.disk,
      sizeBytes: Math.ceil(record.diskGiB * gib),
    },
    signal,
  );
