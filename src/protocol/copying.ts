import * as z from "zod";
import { notice, request } from "./method.ts";

export const copyRoutes = ["disk", "stream", "none"] as const;
export type CopyRoute = (typeof copyRoutes)[number];

export const copyProgressSchema = z.object({
  machine: z.string(),
  files: z.number().int(),
  bytes: z.number(),
  done: z.boolean(),
});

/** Copying between the host and a running guest. */
export const copyingMethods = {
  /**
   * Copies a host folder into a running guest: `.git` and everything that .gitignore doesn't name. Again, only what
   * changed here since; refused with `workspaces.conflict` when that would be written over work of the guest's.
   */
  "copying.folder": request(
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
      way: z.enum(copyRoutes),
      files: z.number().int(),
      bytes: z.number(),
    }),
  ),
  /** Copies files or folders either way; exactly one side names a machine. */
  "copying.path": request(
    z.object({
      machine: z.string(),
      direction: z.enum(["in", "out"]),
      source: z.string(),
      target: z.string(),
    }),
    z.object({ files: z.number().int(), bytes: z.number() }),
  ),
};

export const copyingNotices = {
  "copying.progress": notice(copyProgressSchema),
};
