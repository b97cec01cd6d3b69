/*
 * The handoff in its words, which all of this folder keeps to:
 *   handoff   the whole exchange with one guest that resumed from another's memory: a message there, an answer back
 *   identity  what the guest is to be: name, machine id, address, user, host key, proxy; each part may be left out
 *   message   an identity to apply, with nonce, clock and entropy; the host sends it before the guest's first instruction
 *   apply     what the guest does with a message: by its service, by its agent, or by scripts where it is Windows
 *   answer    what the guest says that it applied, and what failed; a nonce tells whose answer it is
 *   outcome   what an answer, or none, means for the machine; only `applied` makes it ready (B38)
 */
import * as z from "zod";
import { bug } from "../../../protocol/failure.ts";
import { jsonOrNothing, maxListed, name, words } from "../agent/guestAnswer.ts";

/**
 * What a machine that resumed from another's memory is told, and what it answers (B35): one line of JSON each way. The
 * far end is `resources/guest/handoff/handoff`, which carries the same version. A new optional field keeps the version, as
 * the answer tells what was applied; anything else that changes makes a new one.
 */
export const handoffVersion = 1;

/** The guest refuses a longer line. Also what a FIFO takes at once before anybody reads it (pipe(7)). */
export const maxMessageBytes = 60 * 1024;

const nanoseconds = z.string().regex(/^\d{1,20}$/);
const nonce = z.string().min(1).max(64);

/** What a clone gets to be itself. Every part is optional: what is absent stays as it was in the memory. */
export const handoffIdentitySchema = z.object({
  hostname: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i)
    .optional(),
  /** 32 hex digits, as in machine-id(5). */
  machineId: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .optional(),
  /** Of the first network card. */
  network: z
    .object({
      mac: z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i),
      /** IPv4 with prefix length, e.g. `10.0.2.16/24`; replaces every other one of the card. */
      address: z.string().regex(/^(\d{1,3}\.){3}\d{1,3}\/\d{1,2}$/),
      gateway: z.ipv4(),
    })
    .optional(),
  /** These keys are the only ones of the user afterwards. */
  user: z
    .object({ name: z.string(), authorizedKeys: z.array(z.string()) })
    .optional(),
  /** An ed25519 pair as in `KeyPair`; the guest's other host keys are removed. */
  hostKey: z.object({ private: z.string(), public: z.string() }).optional(),
  /** An empty object takes the proxy away. */
  proxy: z
    .object({
      http: z.string().optional(),
      https: z.string().optional(),
      noProxy: z.string().optional(),
    })
    .optional(),
});
export type HandoffIdentity = z.infer<typeof handoffIdentitySchema>;

export const handoffMessageSchema = handoffIdentitySchema.extend({
  guesthouse: z.literal(handoffVersion),
  /** Tells this message's answer from any other. A guest applies one nonce once, whichever way it comes. */
  nonce,
  /** The host's clock, in nanoseconds since 1970. */
  timeNs: nanoseconds.optional(),
  /** Base64 of up to 512 bytes for the kernel's random numbers. */
  entropy: z.base64().optional(),
});
export type HandoffMessage = z.infer<typeof handoffMessageSchema>;

export const failedPartSchema = z.object({ what: name, why: words });
export type FailedPart = z.infer<typeof failedPartSchema>;

/** Every version of the service answers with these two. */
const answerBase = { guesthouse: z.int(), nonce: nonce.nullable() };

export const handoffAnswerSchema = z.discriminatedUnion("outcome", [
  z.object({
    ...answerBase,
    outcome: z.literal("applied"),
    /** Names of the message's fields, in the order in which they took effect. */
    applied: z.array(name).max(maxListed),
    failed: z.array(failedPartSchema).max(maxListed),
    tookMs: z.number(),
    /** The guest's clock at the answer. */
    timeNs: nanoseconds,
    /** Whether anything listens on port 22. */
    sshd: z.boolean(),
  }),
  z.object({
    ...answerBase,
    outcome: z.literal("refused"),
    /** `version`, `malformed`. */
    reason: name,
    /** The version that the guest understands. */
    supports: z.int().optional(),
    why: words.optional(),
  }),
]);
export type HandoffAnswer = z.infer<typeof handoffAnswerSchema>;

/** The message as the bytes to send, newline included. Throws a `bug` for what no guest would take. */
export function encodeMessage(message: HandoffMessage): Buffer {
  const checked = handoffMessageSchema.safeParse(message);
  if (!checked.success)
    throw bug(
      `A handoff message is not as defined: ${z.prettifyError(checked.error)}`,
    );
  const line = Buffer.from(`${JSON.stringify(checked.data)}\n`);
  if (line.length > maxMessageBytes)
    throw bug(`A handoff message of ${String(line.length)} bytes is too long.`);
  return line;
}

/** The message in a line, or undefined when it is none of this version. */
export const decodeMessage = (line: string): HandoffMessage | undefined =>
  handoffMessageSchema.safeParse(jsonOrNothing(line)).data;

/** An answer as the guest sends it, newline included. */
export const encodeAnswer = (answer: HandoffAnswer): Buffer =>
  Buffer.from(`${JSON.stringify(handoffAnswerSchema.parse(answer))}\n`);

/** The answer in a line, or undefined for anything else: guests can write what they like. */
export const decodeAnswer = (line: string): HandoffAnswer | undefined =>
  handoffAnswerSchema.safeParse(jsonOrNothing(line)).data;

/** The fields of a message that change something in the guest, named as its answer names them. */
export const partsOf = (message: HandoffMessage): string[] =>
  Object.entries(message)
    .filter(
      ([name, value]) =>
        name !== "guesthouse" && name !== "nonce" && value !== undefined,
    )
    .map(([name]) => name);
