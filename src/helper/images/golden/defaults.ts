/*
 * What VMs of an image get where nothing else is asked for, when that isn't what all VMs get: part of the catalog and of
 * an image's record, so that prebuilds and archives of an image keep it. machines/roster/shape.ts applies it.
 */
import * as z from "zod";

export const imageDefaultsSchema = z.object({
  /** Virtual size of the disk, which only takes what is written. */
  diskGiB: z.number().int().min(1).max(65536).optional(),
  /** A quarter of the host's memory, within these bounds. */
  memoryMiB: z
    .object({
      least: z.number().int().min(128),
      most: z.number().int().min(128),
    })
    .optional(),
});
export type ImageDefaults = z.infer<typeof imageDefaultsSchema>;
