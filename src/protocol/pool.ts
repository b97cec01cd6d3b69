import * as z from "zod";
import { request } from "./method.ts";

/** More of one image is a mistake of typing. */
export const maxPoolSize = 32;

/** The clones of one image that wait for a name. */
export const poolSchema = z.object({
  image: z.string(),
  wanted: z.number().int(),
  ready: z.number().int(),
  /** Proportional share of all of them where the system tells it, resident sets elsewhere. */
  memoryBytes: z.number(),
  /** The warm template that they come of. */
  template: z.string().optional(),
  /** Why there are fewer than wanted. */
  waitsFor: z
    .enum([
      /** The next one is coming up. */
      "filling",
      /** Somebody's own machine is coming up: that goes first. */
      "quiet",
      /** The host's memory is short. */
      "memory",
      /** No warm template fits; one has to be made first. */
      "template",
      /** The last one did not come up; it is tried again after a while. */
      "failure",
    ])
    .optional(),
});
export type PoolState = z.infer<typeof poolSchema>;

export const poolMethods = {
  "pool.list": request(z.object({}), z.object({ pools: z.array(poolSchema) })),
  /** How many clones of this image shall wait, from now on and in helpers to come; 0 ends them. */
  "pool.set": request(
    z.object({
      image: z.string(),
      count: z.number().int().min(0).max(maxPoolSize),
    }),
    z.object({ pool: poolSchema }),
  ),
};
