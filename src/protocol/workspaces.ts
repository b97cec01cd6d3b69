import * as z from "zod";
import { unsavedWorkSchema } from "./machines.ts";
import { notice, request } from "./method.ts";

export const copyWays = ["disk", "stream", "none"] as const;
export type CopyWay = (typeof copyWays)[number];

export const copyProgressSchema = z.object({
  machine: z.string(),
  files: z.number().int(),
  bytes: z.number(),
  done: z.boolean(),
});

/* Bringing work back out of a copied workspace. */

export const bringBackWaySchema = z.discriminatedUnion("kind", [
  /** Commits on a branch of the host's repository; default `guesthouse/<machine>`. Nothing is checked out. */
  z.object({ kind: z.literal("branch"), branch: z.string().optional() }),
  /** One patch of all that differs from what was copied in, for `git apply`. `file` is absolute and replaced. */
  z.object({ kind: z.literal("patch"), file: z.string() }),
  /** The changed files themselves, written into `folder` (absolute); without one they are listed only. */
  z.object({ kind: z.literal("files"), folder: z.string().optional() }),
]);

export const changedFileSchema = z.object({
  name: z.string(),
  how: z.enum(["added", "changed", "deleted"]),
});

export const broughtBackSchema = z.discriminatedUnion("kind", [
  /** Nothing differs from what was copied in. */
  z.object({ kind: z.literal("nothing") }),
  z.object({
    kind: z.literal("branch"),
    repository: z.string(),
    /** The work itself first, then the guest's other branches and stashes. */
    branches: z.array(z.object({ branch: z.string(), commit: z.string() })),
  }),
  z.object({ kind: z.literal("patch"), file: z.string(), bytes: z.number() }),
  z.object({
    kind: z.literal("files"),
    files: z.array(changedFileSchema),
    /** Where they were written; absent when they were only listed. */
    folder: z.string().optional(),
  }),
]);

const bringBackMethods = {
  /** Brings work out of the folder that was copied into a machine; the guest's repository stays as it is. */
  "workspaces.bringBack": request(
    z.object({ machine: z.string(), way: bringBackWaySchema }),
    z.object({ brought: broughtBackSchema }),
  ),
  /** Asks a running guest what work of its workspace is nowhere else. */
  "workspaces.unsavedWork": request(
    z.object({ machine: z.string() }),
    z.object({ work: unsavedWorkSchema }),
  ),
};

export const workspaceMethods = {
  ...bringBackMethods,
  /**
   * Copies a host folder into a running guest: `.git` and everything that .gitignore doesn't name. Again, only what
   * changed here since; refused with `workspaces.conflict` when that would be written over work of the guest's.
   */
  "workspaces.copyIn": request(
    z.object({
      machine: z.string(),
      folder: z.string(),
      target: z.string().optional(),
      overwrite: z.boolean().optional(),
      /** False sends everything through SSH, however much it is. */
      disk: z.boolean().optional(),
    }),
    z.object({
      guestFolder: z.string(),
      /** By a disk of its own or through SSH; unchanged folders don't go at all. */
      way: z.enum(copyWays),
      files: z.number().int(),
      bytes: z.number(),
    }),
  ),
  /** Copies files or folders either way; exactly one side names a machine. */
  "workspaces.copy": request(
    z.object({
      machine: z.string(),
      direction: z.enum(["in", "out"]),
      source: z.string(),
      target: z.string(),
    }),
    z.object({ files: z.number().int(), bytes: z.number() }),
  ),
};

export const workspaceNotices = {
  "workspaces.copied": notice(copyProgressSchema),
};
