import * as z from "zod";
import { acceleratorSchema } from "./host.ts";
import { startWays } from "./machines.ts";
import { request } from "./method.ts";

/** One line of the contract with a guest, and whether this guest keeps it. */
export const selfTestLineSchema = z.object({
  id: z.string(),
  title: z.string(),
  /** `any`: every guest must keep it. `windows`: only Windows can. */
  system: z.enum(["any", "windows"]),
  /** What the guest was asked: a call of the agent, a script, a command. */
  asked: z.string(),
  /** What the answer must be. */
  judged: z.string(),
  holds: z.boolean(),
  /** Why it doesn't. */
  reason: z.string().optional(),
  tookMs: z.number(),
  /** As it came, but cut off after 4,096 characters and without what looks like a secret. */
  output: z.string(),
});
export type SelfTestLine = z.infer<typeof selfTestLineSchema>;

/**
 * What a guest keeps of the contract, fit to be sent to others: no names of machines or files of the host, no keys, no
 * passwords.
 */
export const transcriptSchema = z.object({
  format: z.literal(1),
  startedAt: z.iso.datetime(),
  tookMs: z.number(),
  holds: z.boolean(),
  guesthouse: z.string(),
  host: z.object({
    system: z.string(),
    qemu: z.string(),
    accelerator: acceleratorSchema.shape.kind,
    network: z.enum(["user", "passt"]),
  }),
  machine: z.object({
    image: z.string(),
    imageDigest: z.string(),
    cpus: z.number().int(),
    memoryMiB: z.number().int(),
    generation: z.number().int(),
    way: z.enum(startWays),
  }),
  /** As the agent tells it. */
  guest: z.object({
    id: z.string().optional(),
    name: z.string().optional(),
    kernel: z.string().optional(),
  }),
  lines: z.array(selfTestLineSchema),
});
export type Transcript = z.infer<typeof transcriptSchema>;

export const selfTestMethods = {
  /** Asks a living guest every line of the contract; takes up to some minutes. */
  "selfTest.run": request(
    z.object({ /** Name, alias or id. */ machine: z.string() }),
    z.object({ transcript: transcriptSchema }),
  ),
};
