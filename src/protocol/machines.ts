import * as z from "zod";
import { cpusSchema, diskGiBSchema, memoryMiBSchema } from "./limits.ts";
import { failureSchema } from "./failure.ts";
import { acceleratorSchema } from "./host.ts";
import { guestSystems } from "./images.ts";
import { forwardSchema } from "./forwards.ts";
import { notice, request } from "./method.ts";

/** The way from a click to a prompt, in order. A stage is entered once a boot. */
export const bootStages = [
  "clone",
  /** The guest goes on from a saved state: no boot. */
  "resume",
  /** It has taken on its own identity. */
  "handoff",
  "firmware",
  "kernel",
  "init",
  "cloud-init",
  "sshd",
  "ready",
] as const;
export type BootStage = (typeof bootStages)[number];

export const diagnosisSchema = z.object({
  /** One plain sentence that names the likely cause. */
  hint: z.string(),
  /** Stable id of the hint: `noTraffic`, `noLease`, `noSshd`, `noKernel`, `noRoot`, `cloudInitFailed`, `noAgent`, `loginRefused`, `slow`, `exited`, `networkGone`. */
  cause: z.string(),
  stage: z.enum(bootStages),
  waitedMs: z.number(),
  /** QEMU's own run state: `running`, `paused`, `internal-error`, … */
  runState: z.string(),
  /** Counted at the guest's virtual network card, modulo 65,536; absent where QEMU can't tell. */
  network: z
    .object({
      /** False: nothing in the guest drives the card. */
      driver: z.boolean(),
      sentFrames: z.number(),
      receivedFrames: z.number(),
    })
    .optional(),
  /** As the guest agent tells them. */
  addresses: z.array(z.string()),
  cloudInit: z
    .object({
      status: z.string(),
      errors: z.array(z.string()),
      logTail: z.array(z.string()),
    })
    .optional(),
  /** Probes that did not pass; an optional one never marks the machine as failed. */
  probes: z.array(
    z.object({
      id: z.string(),
      required: z.boolean(),
      passed: z.boolean(),
      detail: z.string(),
    }),
  ),
  consoleTail: z.array(z.string()),
});
export type Diagnosis = z.infer<typeof diagnosisSchema>;

/** Why a machine is stopped. */
export const stopReasons = [
  "created",
  "requested",
  /** Its memory is kept; the next start goes on where it was. */
  "suspended",
  "guest",
  "crashed",
  "hostRestarted",
  "startFailed",
] as const;

/** See `src/helper/machines/roster/lifecycle.ts` for the drawing. */
export const machineStateSchema = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("creating"),
    step: z.enum(["image", "disk", "seed"]),
    sinceMs: z.number(),
  }),
  z.object({
    kind: z.literal("starting"),
    stage: z.enum(bootStages),
    sinceMs: z.number(),
  }),
  z.object({ kind: z.literal("running"), sinceMs: z.number() }),
  /** QEMU runs, but the guest was not reached in time; turns into `running` when it is reached after all. */
  z.object({
    kind: z.literal("unready"),
    sinceMs: z.number(),
    diagnosis: diagnosisSchema,
  }),
  z.object({
    kind: z.literal("paused"),
    sinceMs: z.number(),
    /** Nobody asked for it: QEMU stopped the guest before one of its writes was lost. Resuming tries the write again. */
    failure: failureSchema.optional(),
  }),
  z.object({
    kind: z.literal("stopping"),
    step: z.enum(["shutdown", "terminate", "kill"]),
    sinceMs: z.number(),
  }),
  z.object({
    kind: z.literal("stopped"),
    reason: z.enum(stopReasons),
    failure: failureSchema.optional(),
  }),
  z.object({ kind: z.literal("deleting") }),
]);
export type MachineState = z.infer<typeof machineStateSchema>;
export type MachineStateKind = MachineState["kind"];

/** How a machine came up: by booting, or by resuming a template, another machine's state, or its own. */
export const startWays = ["cold", "warm", "fork", "restored"] as const;
export type StartWay = (typeof startWays)[number];

export const checkpointSchema = z.object({
  /** 8 hex digits. */
  id: z.string(),
  note: z.string(),
  createdAt: z.iso.datetime(),
  /** With memory a roll back goes on where the guest was; without, it boots. */
  memory: z.boolean(),
  /** Made before a risky operation, not by the user. */
  automatic: z.boolean(),
  /** Allocated for the memory and for the disk's frozen layer. */
  sizeBytes: z.number(),
});
export type Checkpoint = z.infer<typeof checkpointSchema>;

/** What was made in a copied workspace and is nowhere else. */
export const unsavedWorkSchema = z.object({
  /** When the guest was asked. */
  at: z.iso.datetime(),
  /** Some of their names, as git spells them; the counts are of all. */
  files: z.array(z.string()),
  fileCount: z.number().int(),
  /** Short hash and subject. */
  commits: z.array(z.string()),
  commitCount: z.number().int(),
});
export type UnsavedWork = z.infer<typeof unsavedWorkSchema>;

/** A local folder that was copied in, and where it lies in the guest. */
export const workspaceFolderSchema = z.object({
  local: z.string(),
  guest: z.string(),
  /** What was copied is a branch of the folder's repository, not the folder as it is. */
  branch: z.string().optional(),
  /** What was found before the machine was last stopped; absent while it may have changed since. */
  work: unsavedWorkSchema.or(z.undefined()).optional(),
});
export type WorkspaceFolder = z.infer<typeof workspaceFolderSchema>;

export const machineSchema = z.object({
  /** 12 hex digits, for ever. */
  id: z.string(),
  /** Unique, lower case, also the guest's hostname. */
  name: z.string(),
  /** `Host` of the generated ssh config; never changes, so that editors keep their trust and history. */
  alias: z.string(),
  image: z.object({
    name: z.string(),
    digest: z.string(),
    /** The name points to another digest by now, or the image was found broken. */
    stale: z.boolean(),
  }),
  /** What runs in it. */
  os: z.enum(guestSystems),
  /** 0 for a clone of an image; one more for each clone of a clone. */
  generation: z.number().int(),
  /** The machine that this one was forked or branched from; it may be gone by now. */
  parent: z
    .object({
      id: z.string(),
      name: z.string(),
      /** The checkpoint that it was branched from. */
      checkpoint: z.string().optional(),
    })
    .optional(),
  cpus: z.number().int(),
  memoryMiB: z.number().int(),
  diskGiB: z.number(),
  /** Whom a login by its alias is, and where that user's files are. */
  user: z.string(),
  home: z.string(),
  /** Its alias leads into a dev container; the VM itself has another alias and user. */
  container: z.object({ vmAlias: z.string(), vmUser: z.string() }).optional(),
  state: machineStateSchema,
  /** Oldest first. */
  checkpoints: z.array(checkpointSchema),
  /** Its memory lies on the host's disk; the next start goes on from there. */
  suspended: z
    .object({ at: z.iso.datetime(), sizeBytes: z.number() })
    .optional(),
  createdAt: z.iso.datetime(),
  /** Filled while QEMU lives. */
  runtime: z
    .object({
      pid: z.number().int(),
      startedAtMs: z.number(),
      way: z.enum(startWays),
      accelerator: acceleratorSchema.shape.kind,
      acceleratorReason: z.string(),
      sshPort: z.number().int(),
      /** Path of the serial console's socket; one client at a time. */
      consoleSocket: z.string(),
      /** Path of the socket where VNC clients find its screen; any number of them at once. Absent: it has no screen. */
      screenSocket: z.string().optional(),
      forwards: z.array(forwardSchema),
      network: z.object({
        backend: z.enum(["user", "passt"]),
        hostLoopbackReachable: z.boolean(),
        /** Why it is this one. */
        reason: z.string(),
      }),
    })
    .optional(),
  /** Stages of the newest boot, milliseconds from its start. */
  boot: z.array(z.object({ stage: z.enum(bootStages), atMs: z.number() })),
  folder: workspaceFolderSchema.optional(),
  logPath: z.string(),
  agentForwarding: z.boolean(),
  /** It is allowed to reach servers on the host's loopback. */
  hostLoopback: z.boolean(),
  /** It has a display, a keyboard and a pointer. */
  screen: z.boolean(),
  /** Grows with every change of this record; a lower one is old news. */
  revision: z.number().int(),
});
export type Machine = z.infer<typeof machineSchema>;

export const machineStatsSchema = z.object({
  /** Processor seconds used by QEMU since the boot, and the share of all its virtual CPUs since the last call (0..1). */
  cpuSeconds: z.number(),
  cpuShare: z.number().optional(),
  memoryMiB: z.number(),
  /** Proportional share of memory really held by QEMU. */
  memoryUsedMiB: z.number(),
  diskUsedBytes: z.number(),
  diskVirtualBytes: z.number(),
  network: z
    .object({ sentBytes: z.number(), receivedBytes: z.number() })
    .optional(),
  uptimeSeconds: z.number(),
});
export type MachineStats = z.infer<typeof machineStatsSchema>;

const which = z.object({ /** Name, alias or id. */ machine: z.string() });
const answer = z.object({ machine: machineSchema });
export const waitShape = {
  /** Answer only when the guest is ready; default true. */
  wait: z.boolean().optional(),
  /** Overrides the scaled boot timeout. */
  timeoutMs: z.number().int().positive().optional(),
};

export const machineMethods = {
  "machines.list": request(
    z.object({}),
    z.object({ machines: z.array(machineSchema) }),
  ),
  "machines.show": request(which, answer),
  "machines.create": request(
    z.object({
      /** Default: the image's name and a number. */
      name: z.string().optional(),
      /** Default `debian-12`; brought here first when it is missing. */
      image: z.string().optional(),
      cpus: cpusSchema.optional(),
      memoryMiB: memoryMiBSchema.optional(),
      diskGiB: diskGiBSchema.optional(),
      user: z.string().optional(),
      agentForwarding: z.boolean().optional(),
      /** Let it reach servers on the host's loopback; default false. Counts from its next boot. */
      hostLoopback: z.boolean().optional(),
      /** Give it a display, a keyboard and a pointer; default false. */
      screen: z.boolean().optional(),
      /** Forwarded ports beside SSH; hostPort 0 asks the system for one. */
      forwards: z.array(forwardSchema).optional(),
      start: z.boolean().optional(),
      /** False boots it even where a warm template could be resumed. */
      warm: z.boolean().optional(),
      ...waitShape,
    }),
    answer,
  ),
  "machines.start": request(
    which.extend({
      ...waitShape,
      /** Boot it although a saved state waits, which is thrown away. */
      discardState: z.boolean().optional(),
    }),
    answer,
  ),
  /** Sync, agent or ACPI shutdown, grace period, then TERM, then KILL; `how` says which one ended it. */
  "machines.stop": request(
    which.extend({
      force: z.boolean().optional(),
      graceMs: z.number().int().nonnegative().optional(),
    }),
    answer.extend({
      how: z.enum(["alreadyStopped", "shutdown", "terminated", "killed"]),
    }),
  ),
  "machines.restart": request(which.extend(waitShape), answer),
  "machines.pause": request(which, answer),
  "machines.resume": request(which, answer),
  /** Copies a running, paused or suspended machine with its memory, disk and processes; it pauses for a moment. */
  "machines.fork": request(
    which.extend({ name: z.string().optional(), ...waitShape }),
    answer.extend({
      /** How long the parent stood still. */
      pausedMs: z.number(),
    }),
  ),
  /** Keeps memory and disk and ends QEMU; the next start goes on where it was. */
  "machines.suspend": request(which, answer),
  "machines.rename": request(
    which.extend({
      name: z.string(),
      /** Windows gets the name, too, and takes it on at its next restart; it must run. Linux needs no asking. */
      inGuest: z.boolean().optional(),
    }),
    answer,
  ),
  "machines.set": request(
    which.extend({
      cpus: cpusSchema.optional(),
      memoryMiB: memoryMiBSchema.optional(),
      diskGiB: diskGiBSchema.optional(),
      agentForwarding: z.boolean().optional(),
      /** Let it reach servers on the host's loopback; default false. Counts from its next boot. */
      hostLoopback: z.boolean().optional(),
      /** Give it a display, a keyboard and a pointer; default false. */
      screen: z.boolean().optional(),
    }),
    answer,
  ),
  /**
   * Stops it first when it runs. The console log stays. Refused with `machines.unsavedWork` when its workspace holds
   * work that is nowhere else, or may.
   */
  "machines.delete": request(
    which.extend({
      force: z.boolean().optional(),
      /** Delete it with whatever work it holds. */
      discard: z.boolean().optional(),
    }),
    z.object({ id: z.string() }),
  ),
  "machines.stats": request(which, z.object({ stats: machineStatsSchema })),
  /** Reads the boot log from a byte offset; `machines.logged` notices go on from `nextOffset`. Works for deleted machines by id. */
  "machines.log": request(
    which.extend({
      offset: z.number().int().nonnegative().optional(),
      maxBytes: z.number().int().optional(),
    }),
    z.object({
      id: z.string(),
      text: z.string(),
      nextOffset: z.number().int(),
      complete: z.boolean(),
    }),
  ),
  /** What its screen shows now. */
  "machines.screenshot": request(
    which,
    z.object({
      /** base64. */
      png: z.string(),
    }),
  ),
  /** Fresh diagnosis, also of a healthy machine. */
  "machines.diagnose": request(which, z.object({ diagnosis: diagnosisSchema })),
};

export const machineNotices = {
  "machines.changed": notice(z.object({ machine: machineSchema })),
  "machines.removed": notice(
    z.object({ id: z.string(), name: z.string(), revision: z.number().int() }),
  ),
  /** New text in a machine's boot log: the console and our own stage marks. */
  "machines.logged": notice(
    z.object({ id: z.string(), offset: z.number().int(), text: z.string() }),
  ),
};
