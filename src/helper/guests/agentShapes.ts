import * as z from "zod";

/** Answers of the QEMU guest agent, as far as they are used (qemu-ga-ref). */

export const execStarted = z.object({ pid: z.number() });

export const execStatus = z.object({
  exited: z.boolean(),
  exitcode: z.number().optional(),
  signal: z.number().optional(),
  "out-data": z.string().optional(),
  "err-data": z.string().optional(),
});

export const osInfo = z
  .object({
    id: z.string().optional(),
    "pretty-name": z.string().optional(),
    "kernel-release": z.string().optional(),
  })
  .transform((answer) => ({
    id: answer.id,
    prettyName: answer["pretty-name"],
    kernel: answer["kernel-release"],
  }));

const address = z
  .object({ "ip-address": z.string(), prefix: z.number() })
  .transform((one) => `${one["ip-address"]}/${String(one.prefix)}`);

export const interfaces = z.array(
  z
    .object({
      name: z.string(),
      "hardware-address": z.string().optional(),
      "ip-addresses": z.array(address).optional(),
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
);

export const info = z.object({
  supported_commands: z.array(
    z.object({ name: z.string(), enabled: z.boolean() }),
  ),
});

export const fileHandle = z.number();
export const fileWritten = z.object({ count: z.number() });
export const fileRead = z.object({
  count: z.number(),
  "buf-b64": z.string(),
  eof: z.boolean(),
});

export const users = z.array(
  z
    .object({ user: z.string(), domain: z.string().optional() })
    .transform(({ user, domain }) => ({ user, domain })),
);
