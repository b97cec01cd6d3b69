import * as z from "zod";

/**
 * What an image holds, as `resources/guest/image-facts.sh` prints it: collected from the tree before it is packed, or
 * inside a booted guest (`image-facts.sh /`). Judging the facts is validation's business.
 */
export const imageFactsSchema = z.object({
  kernel: z.object({
    /** Empty when no kernel package is installed. */
    version: z.string(),
    /** Loadable modules of interest (virtio_*, file systems, vsock), underscores for dashes. */
    modules: z.array(z.string()),
    /** The same, built into the kernel. */
    builtin: z.array(z.string()),
  }),
  /** `systemd`, `openrc`, another program's path, or empty when there is none. */
  init: z.string(),
  sshd: z.object({ present: z.boolean(), allowTcpForwarding: z.boolean() }),
  guestAgent: z.boolean(),
  /** Version of the handoff messages that the image's service understands; null without it, as in records of before. */
  handoff: z.int().nullable().default(null),
  cloudInit: z.object({
    present: z.boolean(),
    /** Empty: not restricted. */
    datasources: z.array(z.string()),
  }),
  /** Enabled services that configure network interfaces; healthy is exactly one. */
  networkOwners: z.array(z.string()),
  fstab: z.array(
    z.object({
      device: z.string(),
      mount: z.string(),
      options: z.string(),
    }),
  ),
  maskedUnits: z.array(z.string()),
  hostKeysPresent: z.boolean(),
  /** True also for a missing file and for `uninitialized`: each clone gets its own. */
  machineIdEmpty: z.boolean(),
  /** Template placeholders that nobody filled in, outside comments. */
  suspiciousTokens: z.array(z.object({ file: z.string(), token: z.string() })),
});
export type ImageFacts = z.infer<typeof imageFactsSchema>;
