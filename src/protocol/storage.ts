import * as z from "zod";
import { request } from "./method.ts";

/** One thing on the host's disk. */
export const storageItemSchema = z.object({
  kind: z.enum([
    "image",
    "template",
    "machine",
    "checkpoint",
    "layer",
    "log",
    "cache",
    "leftover",
  ]),
  id: z.string(),
  /** For people. */
  title: z.string(),
  /** Really allocated, not counting what stands below it. */
  bytes: z.number(),
  /** Nothing stands on it and it can be made again or is of no use: reclaiming takes it. */
  reclaimable: z.boolean(),
  /** What stands on it, or why it can go. */
  reason: z.string(),
});
export type StorageItem = z.infer<typeof storageItemSchema>;

export const storageMethods = {
  "storage.usage": request(
    z.object({}),
    z.object({
      items: z.array(storageItemSchema),
      totalBytes: z.number(),
      reclaimableBytes: z.number(),
    }),
  ),
  /** Removes what is reclaimable now, looking at each again under its lock; never what anything stands on. */
  "storage.reclaim": request(
    z.object({
      /** Only say what would go. */
      dryRun: z.boolean().optional(),
    }),
    z.object({
      removed: z.array(storageItemSchema),
      freedBytes: z.number(),
    }),
  ),
};
