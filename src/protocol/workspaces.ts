import * as z from "zod";
import { cpusSchema, diskGiBSchema, memoryMiBSchema } from "./limits.ts";
import { failureSchema } from "./failure.ts";
import { filesWays } from "./filesWays.ts";
import { forwardSchema } from "./forwards.ts";
import { notice, request } from "./method.ts";

/** The way of a folder into its VM, in order; the later names are those of the file's commands. */
export const upStages = [
  "initializeCommand",
  "configuration",
  "machine",
  "features",
  "files",
  "container",
  "environment",
  "onCreateCommand",
  "updateContentCommand",
  "postCreateCommand",
  "dotfiles",
  "postStartCommand",
  "postAttachCommand",
] as const;
export type UpStage = (typeof upStages)[number];

/** How far a folder's VM is set up. Whether the VM runs is the machine's own state. */
export const workspaceStateSchema = z.discriminatedUnion("kind", [
  /** No VM was made yet, or it was deleted. */
  z.object({ kind: z.literal("absent") }),
  z.object({
    kind: z.literal("working"),
    stage: z.enum(upStages),
    sinceMs: z.number(),
  }),
  z.object({ kind: z.literal("ready") }),
  /** The VM, if there is one, is kept; the next `up` goes on from this stage. */
  z.object({
    kind: z.literal("failed"),
    stage: z.enum(upStages),
    failure: failureSchema,
    /** Of the command that failed. */
    exitCode: z.number().int().optional(),
    /** The last lines of its output. */
    tail: z.array(z.string()).optional(),
  }),
]);
export type WorkspaceState = z.infer<typeof workspaceStateSchema>;

/** A folder of the host, or a branch of its repository, with one configuration, and the VM that belongs to it. */
export const workspaceSchema = z.object({
  /** 16 hex digits, from the folder, its configuration and branch: the same for ever. */
  id: z.string(),
  folder: z.string(),
  /** The devcontainer.json, relative to the folder; absent when there is none. */
  config: z.string().optional(),
  /** The branch that was copied in; absent when the folder was, as it is. */
  branch: z.string().optional(),
  /** Where it was cloned from; then the folder is one of ours, without files to look at. */
  url: z.string().optional(),
  /** What the file calls itself, else the folder's name. */
  title: z.string(),
  /** `Host` of the ssh config; the same again after a rebuild, so that trust and history hold. */
  alias: z.string(),
  /** Absent while there is none. */
  machine: z.object({ id: z.string(), name: z.string() }).optional(),
  /** What an editor opens: a folder of the guest, and as whom. Absent while there is no VM. */
  remote: z.object({ folder: z.string(), user: z.string() }).optional(),
  /** Absent while there is no VM. */
  files: z.enum(filesWays).optional(),
  /** Extensions for the editor's server in the VM, `publisher.name[@version]`. Absent where there are none. */
  extensions: z.array(z.string()).optional(),
  /** A sentence on what the last `up` did not manage without ending at it. */
  mishap: z.string().optional(),
  /** A sentence on what the file says of the VM now and only a rebuild brings about. */
  outdated: z.string().optional(),
  /** What has to be made again for that. */
  rebuild: z.enum(["machine", "container"]).optional(),
  state: workspaceStateSchema,
  logPath: z.string(),
  /** Grows with every change of this record. */
  revision: z.number().int(),
});
export type Workspace = z.infer<typeof workspaceSchema>;

export const configWarningSchema = z.object({
  /** `features`, `hostRequirements.gpu`. */
  property: z.string(),
  message: z.string(),
});

const variableName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/);

/** A value that a file would like to have of its user, by the name of the variable it becomes. */
export const recommendedSecretSchema = z.object({
  name: variableName,
  description: z.string().optional(),
  /** An http(s) address. */
  documentationUrl: z.string().optional(),
});
export type RecommendedSecret = z.infer<typeof recommendedSecretSchema>;

const which = z.object({
  /** Absolute path on the host. */
  folder: z.string(),
  /** Path below the folder, or `<name>` of `.devcontainer/<name>`; needed when there are several. */
  config: z.string().optional(),
  /** A branch of the folder's repository, as it is at its tip, instead of the folder as it is. */
  branch: z.string().optional(),
});

/** What `workspaces.up` is asked for; a prebuild is made by most of it. */
export const upSchema = which.extend({
  /** Values of the host's variables that `workspaces.read` named; what is missing counts as not set. */
  localEnv: z.record(z.string(), z.string()).optional(),
  /**
   * What becomes of `initializeCommand`, which runs on the host: `refuse` (the default) refuses a file that has one,
   * `skip` leaves it out, `run` is the user's consent.
   */
  initialize: z.enum(["refuse", "skip", "run"]).optional(),
  /** The file that the user consented to, by the digest of `workspaces.read`; another one is refused. */
  digest: z.string().optional(),
  /** Goes before the file's. */
  image: z.string().optional(),
  /**
   * True makes a VM without a container even where the file names one; false a container even where
   * `customizations.guesthouse.container` is false. Goes before the file's.
   */
  direct: z.boolean().optional(),
  /** `fresh` replaces the dev container, and keeps the VM with its caches; the default keeps a container that is there. */
  container: z.enum(["keep", "fresh"]).optional(),
  /**
   * What stands in for folders and files of this computer outside of the workspace that a container wants to see (bind
   * mounts): `refuse` (the default), an `empty` one each, or what is there, in one of the ways of `files`.
   */
  hostPaths: z.enum(["refuse", "empty", ...filesWays]).optional(),
  /** The user's word on how the files come into a new VM; goes before the file's, and is consent to what it asks for. */
  files: z.enum(filesWays).optional(),
  /** Where the file says nothing, from the client's settings. */
  defaults: z
    .object({
      files: z.enum(filesWays).optional(),
      image: z.string().optional(),
      cpus: cpusSchema.optional(),
      memoryMiB: memoryMiBSchema.optional(),
      diskGiB: diskGiBSchema.optional(),
    })
    .optional(),
  /**
   * Variables that lifecycle commands and dotfiles see and nobody writes down: neither the helper, nor the log, nor the
   * guest.
   */
  secrets: z
    .record(
      variableName,
      z.string().refine((text) => !text.includes("\0"), "a text without NUL"),
    )
    .optional(),
  /** The user's own dotfiles; paths are those of the guest. */
  dotfiles: z
    .object({
      /** An address, or `owner/name` on GitHub. */
      repository: z.string().trim().min(1),
      /** Default `~/dotfiles`. */
      targetPath: z.string().min(1).optional(),
      /** Default: the first that is there of install.sh, install, bootstrap.sh, …. */
      installCommand: z.string().optional(),
    })
    .optional(),
  /**
   * Gives git in the guest the name and address that git on this computer has for the folder, where the guest has none; default
   * false.
   */
  gitIdentity: z.boolean().optional(),
  /**
   * Whether git in the guest may ask this computer's git for credentials, for servers that the folder's repository names. Without
   * it that stays as it is, which is false in the beginning.
   */
  gitCredentials: z.boolean().optional(),
  /** A new VM may use this computer's SSH agent while somebody is connected; default false. One that is there stays as it is. */
  agentForwarding: z.boolean().optional(),
  /** The folder of the client's editor's server in a home folder; default `.vscode-server`. */
  serverFolder: z
    .string()
    .regex(/^\.[A-Za-z0-9][A-Za-z0-9._-]*$/)
    .optional(),
  /** False boots the VM even where a warm template could be resumed. */
  warm: z.boolean().optional(),
  /** False makes a new VM of the base image even where a prebuild fits. */
  prebuild: z.boolean().optional(),
  /** Answer when everything ran (the default), or at the file's `waitFor`; the rest then goes on without the client. */
  until: z.enum(["end", "waitFor"]).optional(),
});

/** Delete the VM even where it holds work that is nowhere else; without it that is refused, as by `machines.delete`. */
const discard = z.boolean().optional();

const cameUp = z.object({
  workspace: workspaceSchema,
  alias: z.string(),
  /** In the guest. */
  remoteFolder: z.string(),
  user: z.string(),
  /** Ports of the guest on the host's loopback. */
  forwards: z.array(forwardSchema),
  /** Plain sentences that the user should read once. */
  notes: z.array(z.string()),
  warnings: z.array(configWarningSchema),
  /** What this call did and how long each took; what was done before is not in it. */
  stages: z.array(z.object({ stage: z.enum(upStages), tookMs: z.number() })),
});
export type CameUp = z.infer<typeof cameUp>;

/** A thing that *Clean Up* may take away. */
export const leftoverSchema = z.object({
  kind: z.enum(["workspace", "machine"]),
  /** Of the workspace, or of the machine. */
  id: z.string(),
  title: z.string(),
  folder: z.string().optional(),
  branch: z.string().optional(),
  url: z.string().optional(),
  machine: z.object({ id: z.string(), name: z.string() }).optional(),
  /** Why it may go; empty when nothing speaks for that. */
  why: z.array(z.enum(["folderGone", "machineGone", "unused"])),
  /** When its VM was last made, started or wrote to its disk; absent without a VM. */
  lastUsedAt: z.iso.datetime().optional(),
  running: z.boolean(),
  /** Of its VM's folder and its clone, really allocated; layers that others share are not counted. */
  bytes: z.number(),
});
export type Leftover = z.infer<typeof leftoverSchema>;

/** One of the configurations that a folder has. */
export const configSchema = z.object({
  /** Relative to the folder, with slashes. */
  path: z.string(),
  /** What the file calls itself. */
  name: z.string().optional(),
  /** What it makes: a container of an image, a Dockerfile or Compose files, or the VM alone. Absent where it can't be read. */
  kind: z.enum(["image", "dockerfile", "compose", "machine"]).optional(),
  /** The image or Dockerfile that is named there. */
  of: z.string().optional(),
});
export type Config = z.infer<typeof configSchema>;

/** Folders with their devcontainer.json, and the VMs that belong to them. */
export const workspaceMethods = {
  /**
   * The configurations that a folder has, the one that is used without a word first. Where several have folders of their
   * own and none is at a usual place, the other methods need the path of one.
   */
  "workspaces.configs": request(
    which.omit({ config: true }),
    z.object({ configs: z.array(configSchema) }),
  ),
  "workspaces.list": request(
    z.object({}),
    z.object({ workspaces: z.array(workspaceSchema) }),
  ),
  /** Reads a folder's configuration; nothing is made, written or run. */
  "workspaces.read": request(
    which,
    z.object({
      /** The workspace's, also before its first `up`. */
      id: z.string(),
      config: z.string().optional(),
      digest: z.string(),
      warnings: z.array(configWarningSchema),
      localVariables: z.array(z.string()),
      /** What the file would like to be given, in its order. */
      secrets: z.array(recommendedSecretSchema),
      /** What would run on the host, as it stands in the file. */
      initializeCommand: z.string().optional(),
      /** How the file wants its files in the VM. */
      files: z.enum(filesWays).optional(),
      /** Present when an `up` was here before. */
      workspace: workspaceSchema.optional(),
    }),
  ),
  /**
   * Brings a folder's VM up: made, started, files in, commands run, as far as that was not done before. Refuses with the
   * `workspaces.*` codes; fails with `workspaces.commandFailed` and keeps the VM.
   */
  "workspaces.up": request(upSchema, cameUp),
  /** Deletes the VM, with all that is in it, and brings up a new one by the same alias. */
  "workspaces.rebuild": request(upSchema.extend({ discard }), cameUp),
  /** Stops the VM, or deletes it. What an `up` is doing is ended first. */
  "workspaces.down": request(
    which.extend({ delete: z.boolean().optional(), discard }),
    z.object({ workspace: workspaceSchema }),
  ),
  /** Writes a folder's lockfile: of each feature of a registry or archive, which it is now. Nothing else writes into a folder. */
  "workspaces.lock": request(
    which.omit({ branch: true }),
    z.object({
      path: z.string(),
      features: z.array(
        z.object({
          reference: z.string(),
          version: z.string().optional(),
          resolved: z.string(),
        }),
      ),
    }),
  ),
  /** Starts the VM when needed; answers with the command line that runs `command` in the workspace, for ssh to carry. */
  "workspaces.exec": request(
    which.extend({ command: z.array(z.string()).min(1) }),
    z.object({ alias: z.string(), remoteCommand: z.string() }),
  ),
  /** Reads a workspace's log from a byte offset; `workspaces.logged` notices go on from `nextOffset`. */
  "workspaces.log": request(
    z.object({
      id: z.string().regex(/^[0-9a-f]{16}$/),
      offset: z.number().int().nonnegative().optional(),
      maxBytes: z.number().int().positive().optional(),
    }),
    z.object({
      text: z.string(),
      nextOffset: z.number().int(),
      complete: z.boolean(),
    }),
  ),
  /** Every workspace, and every VM without one, with what speaks for taking it away. */
  "workspaces.leftovers": request(
    z.object({
      /** A VM that nobody used for so long counts as unused; default 30. */
      unusedDays: z.number().min(0).optional(),
    }),
    z.object({ leftovers: z.array(leftoverSchema) }),
  ),
  /**
   * Forgets a workspace, and deletes its VM and, with the last workspace of a clone, the clone. Refuses with
   * `machines.unsavedWork` where work would be lost, in the VM or in the clone.
   */
  "workspaces.delete": request(
    z.object({
      id: z.string().regex(/^[0-9a-f]{16}$/),
      discard: z.boolean().optional(),
    }),
    z.object({}),
  ),
};

export const workspaceNotices = {
  "workspaces.changed": notice(z.object({ workspace: workspaceSchema })),
  "workspaces.removed": notice(
    z.object({ id: z.string(), revision: z.number().int() }),
  ),
  /** New text in a workspace's log: stage marks, and what the commands print. */
  "workspaces.logged": notice(
    z.object({ id: z.string(), offset: z.number().int(), text: z.string() }),
  ),
};
