import * as z from "zod";
import { request } from "./method.ts";

/** A container of a workspace in its VM: the dev container, or a Compose service beside it. */
export const serviceSchema = z.object({
  /** The engine's id. */
  id: z.string(),
  /** The container's name. */
  name: z.string(),
  /** Its name in the Compose file; absent where there is none. */
  service: z.string().optional(),
  image: z.string(),
  state: z.enum([
    "created",
    "running",
    "paused",
    "restarting",
    "removing",
    "exited",
    "dead",
  ]),
  /** Of its last end, unless it runs. */
  exitCode: z.number().int().optional(),
  /** Absent where nobody checks it. */
  health: z.enum(["starting", "healthy", "unhealthy"]).optional(),
  /** The one that connections lead into. */
  devContainer: z.boolean(),
});
export type Service = z.infer<typeof serviceSchema>;

const which = z.object({ /** Name, alias or id. */ machine: z.string() });

/** What runs in a VM whose alias leads into a dev container. No machine is ever started for it. */
export const containerMethods = {
  /** Answers within seconds, also where the guest doesn't. */
  "containers.list": request(
    which,
    z.object({
      /** The dev container first, the others by name; absent when it isn't known. */
      services: z.array(serviceSchema).optional(),
      /** Why it isn't: a part of a sentence, `the VM is stopped`. */
      unknown: z.string().optional(),
    }),
  ),
  /** The command line for ssh that prints a service's log. It ends when its input does. */
  "containers.logs": request(
    which.extend({
      /** By its Compose service, name or id; `container` or nothing is the dev container. */
      service: z.string().optional(),
      /** Continue until the container ends. */
      follow: z.boolean().optional(),
      /** Only the last lines; default all. */
      lines: z.number().int().nonnegative().optional(),
    }),
    z.object({
      service: serviceSchema,
      /** Of the VM itself. */
      alias: z.string(),
      remoteCommand: z.string(),
    }),
  ),
};
