import * as z from "zod";
import { anyPortSchema, portSchema } from "./limits.ts";

/** What the editor does once something answers at a port; only where a devcontainer.json says so. */
export const portOpenings = [
  "openBrowser",
  "openBrowserOnce",
  "openPreview",
] as const;

/** How a port is shown: `portsAttributes` of a devcontainer.json. */
export const portNameSchema = z.object({
  label: z.string().optional(),
  scheme: z.enum(["http", "https"]).optional(),
  open: z.enum(portOpenings).optional(),
});
export type PortName = z.infer<typeof portNameSchema>;

export const forwardSchema = portNameSchema.extend({
  /** Loopback port of the host. */
  hostPort: anyPortSchema,
  /** Of the guest, or of a container in it. */
  guestPort: portSchema,
  protocol: z.literal("tcp"),
  /** The service beside the dev container that has `guestPort`, e.g. `db`. */
  host: z.string().optional(),
  /** The guest's own port on the way to a container's; absent: `guestPort`. */
  via: portSchema.optional(),
});
export type Forward = z.infer<typeof forwardSchema>;

/** The guest's own port that a forward leads to. Pure. */
export const portInGuest = ({
  guestPort,
  via = guestPort,
}: Pick<Forward, "guestPort" | "via">): number => via;
