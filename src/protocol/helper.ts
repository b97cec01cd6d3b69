import * as z from "zod";
import { request } from "./method.ts";

/** Grows when an older client or helper could no longer understand the other. */
export const protocolVersion = 2;

export const helperStatusSchema = z.object({
  version: z.string(),
  protocol: z.number().int(),
  pid: z.number().int(),
  home: z.string(),
  socket: z.string(),
  startedAt: z.iso.datetime(),
  clients: z.number().int(),
  /** Work that should not be cut off, such as making an image, is under way. */
  busy: z.boolean(),
  machinesRunning: z.number().int(),
  memoryBytes: z.number(),
});
export type HelperStatus = z.infer<typeof helperStatusSchema>;

export const helperMethods = {
  /** First call on every connection. The client decides by the answer whether the helper must hand over. */
  "helper.hello": request(
    z.object({
      version: z.string(),
      protocol: z.number().int(),
      client: z.enum(["window", "cli"]),
    }),
    z.object({ status: helperStatusSchema }),
  ),
  "helper.status": request(
    z.object({}),
    z.object({ status: helperStatusSchema }),
  ),
  /** Ends the helper; guests run on. `reason: handOver` makes waiting clients reconnect instead of failing. */
  "helper.stop": request(
    z.object({ reason: z.enum(["requested", "handOver"]) }),
    z.object({ pid: z.number().int() }),
  ),
};
