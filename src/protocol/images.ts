import * as z from "zod";
import { failureSchema } from "./failure.ts";
import { notice, request } from "./method.ts";

export const architectures = ["amd64", "arm64"] as const;
export type Architecture = (typeof architectures)[number];

/** What runs in a guest, as far as it has to be spoken to in another way. */
export const guestSystems = ["linux", "windows"] as const;
export type GuestSystem = (typeof guestSystems)[number];

export const imageSourceSchema = z.discriminatedUnion("kind", [
  /** An official cloud image of the catalog, downloaded. */
  z.object({
    kind: z.literal("catalog"),
    entry: z.string(),
    url: z.string(),
    sha: z.string(),
  }),
  /** Built on this host from its distribution's package mirror. */
  z.object({
    kind: z.literal("built"),
    entry: z.string(),
    inputsKey: z.string(),
  }),
  /** A file that the user gave us. */
  z.object({
    kind: z.literal("imported"),
    path: z.string(),
    format: z.string(),
    /** Digest of the steps that Windows on it was prepared by; absent where it was taken as it is. */
    manifest: z.string().optional(),
  }),
  /** Windows, installed on this host from the user's ISO. */
  z.object({
    kind: z.literal("windows"),
    /** As the ISO calls it. */
    edition: z.string(),
    version: z.string().optional(),
    language: z.string(),
    /** The ISO's file name. */
    iso: z.string(),
    /** Digest of the steps that prepared it. */
    manifest: z.string(),
  }),
  /** A folder's VM as it was after its features, `onCreateCommand` and `updateContentCommand`. */
  z.object({
    kind: z.literal("prebuild"),
    /** Of the folder's file. */
    title: z.string(),
    /** Digests of what went into it (hex): with the base image's digest, and with its name only. */
    key: z.string(),
    fileKey: z.string(),
    /** Digest of the folder's files (hex), without what git keeps. */
    content: z.string(),
    base: z.object({ name: z.string(), digest: z.string() }),
    madeAt: z.iso.datetime(),
    /** Id of the folder and its file on the computer that made it; absent where it was imported. */
    workspace: z.string().optional(),
  }),
]);
export type PrebuildSource = Extract<
  z.infer<typeof imageSourceSchema>,
  { kind: "prebuild" }
>;
export type ImageSource = z.infer<typeof imageSourceSchema>;

export const checkSchema = z.object({
  /** Stable id, e.g. `kernel.virtio`. */
  id: z.string(),
  title: z.string(),
  /** `warning` never keeps an image from being used. */
  outcome: z.enum(["ok", "warning", "error", "notApplicable"]),
  detail: z.string(),
  remedy: z.string().optional(),
});
export type ImageCheck = z.infer<typeof checkSchema>;

export const imageReportSchema = z.object({
  checkedAt: z.iso.datetime(),
  usable: z.boolean(),
  checks: z.array(checkSchema),
});
export type ImageReport = z.infer<typeof imageReportSchema>;

export const imageStateSchema = z.discriminatedUnion("kind", [
  /** Known to the catalog, not on this machine. */
  z.object({ kind: z.literal("available") }),
  z.object({
    kind: z.literal("working"),
    /**
     * `download`, `verify`, `convert`, `build`, `prepare`, `validate`, `pack`, `unpack`; of Windows being installed
     * `firmware`, `setup`, `specialize`, `first logon`, `verification`, `remediation`, and `start` of a disk that came with it.
     */
    stage: z.string(),
    detail: z.string().optional(),
    sinceMs: z.number(),
    bytes: z.number().optional(),
    totalBytes: z.number().optional(),
    bytesPerSecond: z.number().optional(),
    fraction: z.number().min(0).max(1).optional(),
    /** Unix socket where VNC clients see what it does, where there is a screen. */
    screen: z.string().optional(),
  }),
  z.object({ kind: z.literal("ready") }),
  z.object({ kind: z.literal("failed"), failure: failureSchema }),
]);
export type ImageState = z.infer<typeof imageStateSchema>;

/** One row of the *Images* tree. A name points to one digest at a time; machines hold on to the digest. */
export const imageSchema = z.object({
  /** Short name, unique: `debian-12`. */
  name: z.string(),
  title: z.string(),
  architecture: z.enum(architectures),
  /** Default: Linux. */
  os: z.enum(guestSystems).optional(),
  /** See `images.import`; absent for everything else. */
  generalized: z.literal(true).optional(),
  state: imageStateSchema,
  /** `sha256:<64 hex>` of the golden disk; absent until ready. */
  digest: z.string().optional(),
  source: imageSourceSchema.optional(),
  /** Bytes really used on this host, all files of the image. */
  sizeBytes: z.number().optional(),
  virtualSizeBytes: z.number().optional(),
  createdAt: z.iso.datetime().optional(),
  /** True when the kernel is started directly, without firmware and boot loader. */
  directBoot: z.boolean().optional(),
  defaultUser: z.string().optional(),
  /** Seconds this image is expected to need to SSH under hardware acceleration. */
  expectedBootSeconds: z.number().optional(),
  report: imageReportSchema.optional(),
  /** Names of the machines that stand on any digest of this image. */
  usedBy: z.array(z.string()),
  /** Grows with every change of this record. */
  revision: z.number().int(),
});
export type Image = z.infer<typeof imageSchema>;

const byName = z.object({ name: z.string() });

export const imageMethods = {
  "images.list": request(
    z.object({}),
    z.object({ images: z.array(imageSchema) }),
  ),
  /** Brings a catalog image here by the best way: download, or build when the download can't be reached. */
  "images.pull": request(
    byName.extend({
      force: z.boolean().optional(),
      method: z.enum(["auto", "download", "build"]).optional(),
    }),
    z.object({ image: imageSchema }),
  ),
  "images.import": request(
    z.object({
      path: z.string(),
      name: z.string().optional(),
      /** Expected `sha256:…` or `sha512:…` of the file. */
      checksum: z.string().optional(),
      user: z.string().optional(),
      /** What the disk holds, default Linux. Windows is taken as it is, and `user` must be told. */
      os: z.enum(guestSystems).optional(),
      /** Of Windows that was generalized (sysprep) with cloudbase-init in it: its machines get a seed that this reads. */
      generalized: z.boolean().optional(),
    }),
    z.object({ image: imageSchema }),
  ),
  /** What of an installation ISO of Windows can be installed here. */
  "images.inspectIso": request(
    z.object({ path: z.string() }),
    z.object({
      /** What `images.installWindows` takes by itself. */
      edition: z.int(),
      editions: z.array(
        z.object({
          index: z.int(),
          name: z.string(),
          version: z.string().optional(),
          /** The default first. */
          languages: z.array(z.string()),
        }),
      ),
    }),
  ),
  /**
   * Installs Windows from the user's ISO and makes an image of it. The installation belongs to the helper: it goes on
   * when the one who asked goes away, and ends by `images.cancel`. Asking again for the same name joins it.
   */
  "images.installWindows": request(
    z.object({
      iso: z.string(),
      /** ISO with virtio drivers and the guest agent. */
      drivers: z.string(),
      /** Number, `EditionID` or name. Default: Professional, else the ISO's first. */
      edition: z.string().optional(),
      /** Default: the edition's. */
      language: z.string().optional(),
      /** Of the image. Default: from the edition's name. */
      name: z.string().optional(),
      /** Of the account. Default: `dev`. */
      user: z.string().optional(),
      /** File with the pinned OpenSSH package; default: downloaded. */
      openSsh: z.string().optional(),
    }),
    z.object({ image: imageSchema }),
  ),
  /**
   * Starts a disk that came with Windows, prepares it by the same steps as an installation and makes an image of it. Its guest
   * agent must answer, or its SSH server take the login. As `images.installWindows` otherwise.
   */
  "images.prepareWindows": request(
    z.object({
      /** qcow2, raw, vmdk, vhdx or vdi; it is only read. */
      disk: z.string(),
      /** Expected `sha256:…` or `sha512:…` of the file. */
      checksum: z.string().optional(),
      drivers: z.string(),
      /** Of the image. Default: from the file's name. */
      name: z.string().optional(),
      /** Of the administrator's account, which is made where there is none. Default: `dev`. */
      user: z.string().optional(),
      /** Files by which `user` logs in over SSH where no agent answers: a password's first line, an OpenSSH private key. */
      login: z
        .object({
          passwordFile: z.string().optional(),
          keyFile: z.string().optional(),
        })
        .optional(),
      openSsh: z.string().optional(),
    }),
    z.object({ image: imageSchema }),
  ),
  /** Writes a ready image as one file that `images.import` takes, elsewhere too. The file must not exist yet. */
  "images.export": request(
    byName.extend({ path: z.string() }),
    z.object({ path: z.string(), sizeBytes: z.number() }),
  ),
  "images.validate": request(
    byName,
    z.object({ image: imageSchema, report: imageReportSchema }),
  ),
  "images.delete": request(byName, z.object({ freedBytes: z.number() })),
  "images.cancel": request(byName, z.object({ cancelled: z.boolean() })),
};

export const imageNotices = {
  "images.changed": notice(z.object({ image: imageSchema })),
  "images.removed": notice(
    z.object({ name: z.string(), revision: z.number().int() }),
  ),
};
