import { readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import * as z from "zod";
import { makePrivateFolder } from "../../base/files.ts";
import { type JsonRead, readJson, writeJson } from "../../base/jsonFile.ts";
import { failureSchema } from "../../protocol/failure.ts";
import { acceleratorKinds } from "../../protocol/host.ts";
import { guestSystems } from "../../protocol/images.ts";
import { forwardSchema, portNameSchema } from "../../protocol/forwards.ts";
import {
  bootStages,
  checkpointSchema,
  startWays,
  stopReasons,
  workspaceFolderSchema,
} from "../../protocol/machines.ts";
import type { Layout, MachineFiles } from "./layout.ts";

/** What a kept memory was saved with, and what alone can take it in again. */
const savedWithSchema = z.object({
  /** Version of QEMU: `7.2.22`. */
  qemu: z.string(),
  /** Its machine type with the version: `pc-q35-7.2`. */
  machineType: z.string(),
  accelerator: z.enum(acceleratorKinds),
});
export type SavedWith = z.infer<typeof savedWithSchema>;

/** A port that a container publishes in its VM. */
const publishedPortSchema = z.object({
  /** As the VM sees it, e.g. `127.0.0.1`. */
  address: z.string(),
  /** The VM's. */
  port: z.number().int(),
  /** The container's. */
  guestPort: z.number().int(),
  /** The service that publishes it; absent: the dev container itself. */
  host: z.string().optional(),
});
export type PublishedPort = z.infer<typeof publishedPortSchema>;

/** How ports are shown, by the numbers that their containers know. */
const namedPortSchema = portNameSchema.extend({
  guestPort: z.number().int(),
  host: z.string().optional(),
});
export type NamedPort = z.infer<typeof namedPortSchema>;

/** Durable intent: what a machine is. Never holds a pid, a socket or a port of the moment (B15). */
export const machineRecordSchema = z.object({
  format: z.literal(1),
  id: z.string().regex(/^[0-9a-f]{12}$/),
  name: z.string(),
  alias: z.string(),
  image: z.object({ name: z.string(), digest: z.string() }),
  /** What its image is known as. */
  os: z.enum(guestSystems).default("linux"),
  /** Windows that has a CD with a seed, as it was generalized. */
  generalized: z.literal(true).optional(),
  generation: z.number().int(),
  cpus: z.number().int(),
  memoryMiB: z.number().int(),
  diskGiB: z.number(),
  user: z.string(),
  createdAt: z.iso.datetime(),
  macAddress: z.string(),
  /** In the network of its own that QEMU plays for it. */
  guestAddress: z.ipv4().default("10.0.2.15"),
  uuid: z.uuid(),
  vmGenerationId: z.uuid(),
  instanceId: z.string(),
  /** No boot is known to have brought what the seed says to the disk. Absent in records of older versions of ours. */
  seedPending: z.literal(true).or(z.undefined()).optional(),
  hostPublicKey: z.string(),
  agentForwarding: z.boolean(),
  /** It may reach servers on the host's loopback. */
  hostLoopback: z.boolean().default(false),
  /** It has a display, a keyboard and a pointer: part of what its saved states fit to. */
  screen: z.boolean().default(false),
  /** Wanted beside SSH; hostPort 0 takes a free one at each start. */
  forwards: z.array(forwardSchema),
  /** What its containers publish, carried to this computer while it runs, and what its folder's file calls its ports. */
  ports: z
    .object({
      published: z.array(publishedPortSchema),
      named: z.array(namedPortSchema),
    })
    .or(z.undefined())
    .optional(),
  folder: workspaceFolderSchema.optional(),
  /** The dev container in it that its alias leads into; absent: the alias leads to the VM itself. */
  landing: z
    .object({
      /** Whom a login there is. */
      user: z.string(),
      home: z.string(),
    })
    .or(z.undefined())
    .optional(),
  /** The machine that this one was forked or branched from. */
  parent: z
    .object({
      id: z.string(),
      name: z.string(),
      checkpoint: z.string().optional(),
    })
    .optional(),
  /** Oldest first. */
  checkpoints: z
    .array(
      checkpointSchema.extend({
        layer: z.string(),
        /** As in `resumeFrom`. */
        leases: z.number().int().default(1),
        savedWith: savedWithSchema.or(z.undefined()).optional(),
        /** What its memory was taken of: a roll back brings this back too. */
        shape: z.object({
          cpus: z.number().int(),
          memoryMiB: z.number().int(),
          diskGiB: z.number(),
          screen: z.boolean().default(false),
        }),
      }),
    )
    .default([]),
  /** A roll back to this checkpoint was decided and is under way: whoever finds this completes it. */
  rollingBack: z.string().or(z.undefined()).optional(),
  /** … but not to its memory. */
  rollingBackDiskOnly: z.boolean().or(z.undefined()).optional(),
  /** Where its next start goes on from. */
  resumeFrom: z
    .discriminatedUnion("kind", [
      /** A template, by id: until the guest has taken on its identity. */
      z.object({ kind: z.literal("template"), id: z.string() }),
      /** `state` in the machine's folder: it was suspended, rolled back or forked. */
      z.object({
        kind: z.literal("state"),
        way: z.enum(["fork", "restored"]),
        at: z.iso.datetime(),
        sizeBytes: z.number(),
        /**
         * How many cards the saved network has handed addresses to; see `machines/identity/addresses.ts`. 0: it was saved with
         * passt, whose state is not part of it, so that it goes on with any network.
         */
        leases: z.number().int().default(1),
        /** Absent in records of older versions of ours. */
        savedWith: savedWithSchema.or(z.undefined()).optional(),
        /** The disk is an empty overlay above what fits to the state; until then it is what fits. */
        diskFrozen: z.boolean().default(false),
      }),
    ])
    .or(z.undefined())
    .optional(),
  lastStop: z.object({
    reason: z.enum(stopReasons),
    failure: failureSchema.optional(),
  }),
});
export type MachineRecord = z.infer<typeof machineRecordSchema>;
export type CheckpointRecord = MachineRecord["checkpoints"][number];

/** Transient handles of a running QEMU. Lost or corrupt, they are rebuilt from the system. */
export const machineHandlesSchema = z.object({
  pid: z.number().int(),
  startTime: z.string(),
  startedAtMs: z.number(),
  way: z.enum(startWays).default("cold"),
  accelerator: z.enum(acceleratorKinds),
  acceleratorReason: z.string(),
  sshPort: z.number().int(),
  forwards: z.array(forwardSchema),
  /** Ports that containers publish, as the helper carries them (`running/publishedPorts.ts`). */
  carried: z.array(forwardSchema).or(z.undefined()).optional(),
  /**
   * How many cards this QEMU's own network has handed addresses to: one, and one more for each state that it stems
   * from. 0 with passt.
   */
  leases: z.number().int().default(1),
  network: z.object({
    backend: z.enum(["user", "passt"]),
    hostLoopbackReachable: z.boolean(),
    /** Why it is this one. */
    reason: z.string().default(""),
    /** The back end's own process, where it has one. */
    process: z
      .object({ pid: z.number().int(), startTime: z.string() })
      .or(z.undefined())
      .optional(),
  }),
  /** Where this boot begins in the boot log. */
  logOffset: z.number().int(),
  boot: z.array(z.object({ stage: z.enum(bootStages), atMs: z.number() })),
  /** Its memory is being saved, so that it may stand still without having been paused. */
  capturing: z
    .object({
      /** It ran before. */
      ran: z.boolean(),
      /** QEMU ends once the record says so. */
      suspend: z.boolean(),
    })
    .or(z.undefined())
    .optional(),
  /** When the guest was first reached in this boot. */
  readySinceMs: z.number().or(z.undefined()).optional(),
});
export type MachineHandles = z.infer<typeof machineHandlesSchema>;

export const readRecord = (
  files: MachineFiles,
): Promise<JsonRead<MachineRecord>> =>
  readJson(files.record, (value) => machineRecordSchema.parse(value));

export const writeRecord = (
  files: MachineFiles,
  record: MachineRecord,
): Promise<void> => writeJson(files.record, record);

export const readHandles = (
  files: MachineFiles,
): Promise<JsonRead<MachineHandles>> =>
  readJson(files.handles, (value) => machineHandlesSchema.parse(value));

export const writeHandles = (
  files: MachineFiles,
  handles: MachineHandles,
): Promise<void> => writeJson(files.handles, handles);

const doomedMark = ".deleting-";

/** Ids of every machine folder, complete or not. */
export async function machineIds(layout: Layout): Promise<string[]> {
  await makePrivateFolder(layout.machines);
  const names = await readdir(layout.machines);
  return names.filter((name) => /^[0-9a-f]{12}$/.test(name)).sort();
}

/** Deletes a folder so that a crash leaves either all of it or something that `sweepDoomed` removes. */
export async function removeFolder(folder: string): Promise<void> {
  const doomed = join(dirname(folder), `${doomedMark}${basename(folder)}`);
  await rm(doomed, { recursive: true, force: true });
  await rename(folder, doomed);
  await rm(doomed, { recursive: true, force: true });
}

/** Removes what an interrupted `removeFolder` left behind. */
export async function sweepDoomed(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (name.startsWith(doomedMark))
      await rm(join(parent, name), { recursive: true, force: true });
  }
}
