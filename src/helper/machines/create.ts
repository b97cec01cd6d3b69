import { copyFile, readFile, rm } from "node:fs/promises";
import { cpus as hostCpus, totalmem } from "node:os";
import { faultPoint } from "../../base/faultPoint.ts";
import { makePrivateFolder, replaceFile } from "../../base/files.ts";
import type { Log } from "../../base/log.ts";
import type { ParsedParams } from "../../protocol/contract.ts";
import { refused } from "../../protocol/failure.ts";
import type { GuestSystem } from "../../protocol/images.ts";
import type { TemplateShape } from "../../protocol/templates.ts";
import { hostSettings } from "../guests/hostSettings.ts";
import { type SeedWriting, writeSeed, writeVolume } from "../guests/seed.ts";
import { windowsSeedFiles } from "../guests/windowsSeed.ts";
import type { GoldenImage } from "../images/goldenImage.ts";
import type { Images } from "../images/images.ts";
import { createOverlay } from "../qemu/block.ts";
import { ensureUserKey, generateHostKey, type KeyPair } from "../ssh/keys.ts";
import { pinHostKey, unpinHost } from "../ssh/knownHosts.ts";
import { emptyOverlay, type Templates } from "../snapshots/templates.ts";
import type { Layout } from "../store/layout.ts";
import {
  type MachineRecord,
  removeFolder,
  writeRecord,
} from "../store/records.ts";
import { freeAddress } from "./addresses.ts";
import { mark } from "./bootLog.ts";
import { claimName, newIdentity } from "./names.ts";
import type { Entry } from "./entry.ts";
import type { MachineRegistry } from "./registry.ts";
import { screenShape, shapeOf, type Warm } from "./warm.ts";

export interface CreateDeps {
  readonly layout: Layout;
  readonly registry: MachineRegistry;
  readonly images: Images;
  readonly templates: Templates;
  readonly warm: Warm;
  readonly log: Log;
}

export const defaultImage = "debian-12";
const defaultDiskGiB = 20;
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
  const entry = registry.add(record, {
    kind: "creating",
    step: "image",
    sinceMs: Date.now(),
  });
  const files = layout.machine(record.id);
  try {
    const image = await images.obtain(imageName, {}, undefined, signal);
    entry.record = {
      ...record,
      image: { name: image.name, digest: image.digest },
      ...fitTo(params, image),
      ...suitedTo[image.os](params, image),
    };
    registry.enter(entry, step("disk"));
    await makePrivateFolder(files.folder);
    await makePrivateFolder(layout.logs);
    await mark(files.log, `${record.name} (${record.id})`);
    await makeDisk(entry, image, params.warm ?? true, deps, signal);
    registry.enter(entry, step("seed"));
    entry.record = await giveHostKey(entry.record, layout);
    signal.throwIfAborted();
    await writeRecord(files, entry.record);
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

/** Above the template that fits, whose state it will resume from; else above the image, to boot. */
async function makeDisk(
  entry: Entry,
  image: GoldenImage,
  warm: boolean,
  deps: CreateDeps,
  signal: AbortSignal,
): Promise<void> {
  const { templates, layout } = deps;
  const { disk, variables, log } = layout.machine(entry.record.id);
  const template = warm
    ? await deps.warm.find(shapeOf(entry.record), image, signal)
    : undefined;
  if (template !== undefined) {
    const files = templates.files(template.id);
    await copyFile(emptyOverlay(files), disk);
    if (template.card !== undefined) await copyFile(files.variables, variables);
    faultPoint("clone.disk");
    templates.used(template.id);
    entry.record = {
      ...entry.record,
      // They are in the memory that it goes on from.
      ...template.card,
      resumeFrom: { kind: "template", id: template.id },
    };
    return;
  }
  if (warm)
    await mark(log, "no warm template of this image and shape: booting");
  await createOverlay(
    {
      path: disk,
      backingPath: image.files.disk,
      sizeBytes: Math.ceil(entry.record.diskGiB * gib),
    },
    signal,
  );
}

/** Makes a machine's host key, tells its seed of it and pins it; answers with the record that names it. */
export async function giveHostKey(
  record: MachineRecord,
  layout: Layout,
): Promise<MachineRecord> {
  const hostKey = generateHostKey(record.alias);
  const named = { ...record, hostPublicKey: hostKey.publicKey };
  await replaceFile(layout.machine(record.id).hostKey, hostKey.privateKey);
  await writeMachineSeed(named, hostKey, layout);
  await pinHostKey(layout.ssh.knownHosts, record.alias, hostKey.publicKey);
  return named;
}

/** Writes the seed of a machine from its record. */
export async function writeMachineSeed(
  record: MachineRecord,
  hostKey: KeyPair,
  layout: Layout,
  way: SeedWriting = "replace",
): Promise<void> {
  const userKey = await ensureUserKey(layout.ssh);
  // Windows reads none, its agent tells it who it is at each boot; unless it was generalized and waits for one.
  if (record.os === "windows") {
    if (record.generalized !== true) return;
    const { instanceId, name, user } = record;
    await writeVolume(
      layout.machine(record.id).seed,
      name,
      () =>
        windowsSeedFiles({
          ...{ instanceId, name, user },
          authorizedKeys: [userKey.publicKey],
        }),
      way,
    );
    return;
  }
  const settings = await hostSettings();
  const spec = {
    instanceId: record.instanceId,
    hostname: record.name,
    user: record.user,
    authorizedKeys: [userKey.publicKey],
    hostKey,
    macAddress: record.macAddress,
    network: { kind: "dhcp" } as const,
    caCertificates: settings.caCertificates,
    ...(settings.proxy === undefined ? {} : { proxy: settings.proxy }),
    ...(settings.timezone === undefined ? {} : { timezone: settings.timezone }),
  };
  await writeSeed(layout.machine(record.id).seed, spec, way);
}

/** Writes the seed of a machine again whose host key stays the one that it has. */
export async function rewriteMachineSeed(
  record: MachineRecord,
  layout: Layout,
  way?: SeedWriting,
): Promise<void> {
  const privateKey = await readFile(layout.machine(record.id).hostKey, "utf8");
  const hostKey = { privateKey, publicKey: record.hostPublicKey };
  await writeMachineSeed(record, hostKey, layout, way);
}

type Suit = (
  params: Wanted,
  image: GoldenImage,
) => Partial<MachineRecord> & Pick<MachineRecord, "os">;

/** What a machine is beside what was asked for, by what runs in it. */
const suitedTo: Readonly<Record<GuestSystem, Suit>> = {
  linux: () => ({ os: "linux" }),
  windows: (wanted, { name, defaultUser, generalized }) => {
    if (wanted.user !== undefined && wanted.user !== defaultUser)
      throw refused(
        "machines.badRequest",
        `Windows gets no other user than that of its image: “${name}” has ${defaultUser}.`,
        { remedy: "Leave the user out, and add others within Windows." },
      );
    return {
      os: "windows",
      ...(generalized === true ? { generalized } : {}),
      // Without one, what it waits for could not be seen.
      screen: wanted.screen ?? true,
      memoryMiB: wanted.memoryMiB ?? Math.max(4096, defaultMemoryMiB()),
    };
  },
};

const step = (name: "disk" | "seed"): Entry["state"] => ({
  kind: "creating",
  step: name,
  sinceMs: Date.now(),
});

/** The record of a machine that is wished for, with an identity of its own; refuses names and users that can't be. */
export function draft(
  params: ParsedParams<"machines.create">,
  imageName: string,
  registry: MachineRegistry,
): MachineRecord {
  const name = claimName(
    params.name,
    nameFrom(imageName),
    registry.takenNames(),
  );
  return {
    format: 1,
    ...newIdentity(name, registry.takenAliases()),
    image: { name: imageName, digest: "" },
    os: "linux",
    generation: 0,
    ...usualSize(params),
    user: checkUser(params.user ?? ""),
    createdAt: new Date().toISOString(),
    guestAddress: freeAddress(registry.takenAddresses()),
    checkpoints: [],
    hostPublicKey: "",
    agentForwarding: params.agentForwarding ?? false,
    hostLoopback: params.hostLoopback ?? false,
    screen: params.screen ?? false,
    forwards: params.forwards ?? [],
    lastStop: { reason: "created" },
  };
}

interface Wanted {
  readonly cpus?: number | undefined;
  readonly memoryMiB?: number | undefined;
  readonly diskGiB?: number | undefined;
  readonly user?: string | undefined;
  readonly screen?: boolean | undefined;
}

/** Of a machine where nothing else is asked for. */
export const usualSize = (
  wanted: Wanted = {},
): Omit<TemplateShape, "user"> => ({
  cpus: wanted.cpus ?? Math.min(2, hostCpus().length),
  memoryMiB: wanted.memoryMiB ?? defaultMemoryMiB(),
  diskGiB: wanted.diskGiB ?? defaultDiskGiB,
});

/** What a machine of this image gets where nothing else is asked for. */
export function shapeFor(wanted: Wanted, image: GoldenImage): TemplateShape {
  const suited = { ...wanted, ...suitedTo[image.os](wanted, image) };
  return {
    ...usualSize(suited),
    ...fitTo(wanted, image),
    ...screenShape(suited.screen),
  };
}

function fitTo(
  params: Wanted,
  image: GoldenImage,
): Pick<MachineRecord, "user" | "diskGiB"> {
  const smallestGiB = image.virtualSizeBytes / gib;
  if (params.diskGiB !== undefined && params.diskGiB < smallestGiB)
    throw refused(
      "machines.badRequest",
      `A disk of ${String(params.diskGiB)} GiB is too small for “${image.name}”, which needs ${smallestGiB.toFixed(1)} GiB.`,
      {
        remedy:
          "Ask for a larger disk; it takes only the room that the guest fills.",
      },
    );
  return {
    user: params.user ?? image.defaultUser,
    diskGiB: Math.max(params.diskGiB ?? defaultDiskGiB, Math.ceil(smallestGiB)),
  };
}

/** A POSIX login name (useradd(8)); empty means the image's own. */
function checkUser(user: string): string {
  if (user === "" || /^[a-z_][a-z0-9_-]{0,31}$/.test(user)) return user;
  throw refused(
    "machines.badRequest",
    `“${user}” can't be a user's name in the guest.`,
    {
      remedy:
        "Use lower-case letters, digits, hyphens and underscores, 32 at most.",
    },
  );
}

const nameFrom = (imageName: string): string =>
  imageName
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 56) || "machine";

/** 2 GiB, or less on a host that has less than four times that. */
const defaultMemoryMiB = (): number =>
  Math.max(512, Math.min(2048, Math.floor(totalmem() / 4 / 1024 ** 2)));
