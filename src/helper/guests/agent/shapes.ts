import * as z from "zod";
import { maxListed, name, words } from "./guestAnswer.ts";

/** Answers of the QEMU guest agent, as far as they are used (qemu-ga-ref). */

export const execStarted = z.object({ pid: z.int() });

export const execStatus = z.object({
  exited: z.boolean(),
  exitcode: z.int().optional(),
  signal: z.int().optional(),
  "out-data": z.string().optional(),
  "err-data": z.string().optional(),
  /** The agent kept 16 MiB and threw the rest away. */
  "out-truncated": z.boolean().optional(),
  "err-truncated": z.boolean().optional(),
});

export const osInfo = z
  .object({
    id: name.optional(),
    "pretty-name": words.optional(),
    "kernel-release": words.optional(),
  })
  .transform((answer) => ({
    id: answer.id,
    prettyName: answer["pretty-name"],
    kernel: answer["kernel-release"],
  }));

const address = z
  .object({ "ip-address": name, prefix: z.int().min(0).max(128) })
  .transform((one) => `${one["ip-address"]}/${String(one.prefix)}`);

export const interfaces = z
  .array(
    z
      .object({
        name,
        "hardware-address": name.optional(),
        "ip-addresses": z.array(address).max(maxListed).optional(),
        statistics: z
          .object({ "rx-bytes": z.number(), "tx-bytes": z.number() })
          .optional(),
      })
      .transform((one) => ({
        name: one.name,
        macAddress: one["hardware-address"],
        addresses: one["ip-addresses"] ?? [],
        receivedBytes: one.statistics?.["rx-bytes"],
        sentBytes: one.statistics?.["tx-bytes"],
      })),
  )
  .max(maxListed);

export const info = z.object({
  supported_commands: z
    .array(z.object({ name, enabled: z.boolean() }))
    .max(maxListed),
});

/** Nanoseconds since 1970: past what a number holds exactly, by less than a microsecond. */
export const time = z.number();

export const fileHandle = z.int();
export const fileWritten = z.object({ count: z.int().min(0) });
export const fileRead = z.object({
  count: z.int().min(0),
  "buf-b64": z.string(),
  eof: z.boolean(),
});

export const users = z
  .array(
    z
      .object({ user: name, domain: name.optional() })
      .transform(({ user, domain }) => ({ user, domain })),
  )
  .max(maxListed);
