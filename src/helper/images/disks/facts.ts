import * as z from "zod";
import { failed } from "../../../protocol/failure.ts";
import { jsonOrNothing } from "../../guests/agent/guestAnswer.ts";

const text = z.string().max(4_096);
const list = <T extends z.ZodType>(of: T) => z.array(of).max(10_000);

/**
 * What an image holds, as `resources/guest/image-facts.sh` prints it: collected from the tree before it is packed, or
 * inside a booted guest (`image-facts.sh /`). Judging the facts is validation's business.
 */
export const imageFactsSchema = z.object({
  kernel: z.object({
    /** Empty when no kernel package is installed. */
    version: text,
    /** Loadable modules of interest (virtio_*, file systems, vsock), underscores for dashes. */
    modules: list(text),
    /** The same, built into the kernel. */
    builtin: list(text),
  }),
  /** `systemd`, `openrc`, another program's path, or empty when there is none. */
  init: text,
  sshd: z.object({ present: z.boolean(), allowTcpForwarding: z.boolean() }),
  guestAgent: z.boolean(),
  /** Version of the handoff messages that the image's service understands; null without it, as in records of before. */
  handoff: z.int().nullable().default(null),
  cloudInit: z.object({
    present: z.boolean(),
    /** Empty: not restricted. */
    datasources: list(text),
  }),
  /** Enabled services that configure network interfaces; healthy is exactly one. */
  networkOwners: list(text),
  fstab: list(
    z.object({
      device: text,
      mount: text,
      options: text,
    }),
  ),
  maskedUnits: list(text),
  hostKeysPresent: z.boolean(),
  /** True also for a missing file and for `uninitialized`: each clone gets its own. */
  machineIdEmpty: z.boolean(),
  /** Template placeholders that nobody filled in, outside comments. */
  suspiciousTokens: list(z.object({ file: text, token: text })),
});
export type ImageFacts = z.infer<typeof imageFactsSchema>;

/** Reads what the script printed. Throws `images.invalid` when that is something else, as of a guest that runs another `sh`. */
export function readImageFacts(printed: string): ImageFacts {
  const read = imageFactsSchema.safeParse(jsonOrNothing(printed));
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw failed(
    "images.invalid",
    `What the image holds can't be told: its facts are malformed (${issue?.path.join(".").slice(0, 200) ?? ""}: ${issue?.message.slice(0, 300) ?? ""}).`,
    {
      remedy:
        "Check that its shell and its tools are whole, then try again; report it if it happens again.",
      actions: ["retry", "report"],
    },
  );
}
