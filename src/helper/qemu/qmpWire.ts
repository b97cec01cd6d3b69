import * as z from "zod";

/** Whatever QEMU says in one line: https://www.qemu.org/docs/master/interop/qmp-spec.html. */
export type QmpMessage =
  | {
      readonly kind: "greeting";
      readonly version: { major: number; minor: number; micro: number };
    }
  | { readonly kind: "return"; readonly id: unknown; readonly value: unknown }
  | {
      readonly kind: "error";
      readonly id: unknown;
      readonly errorClass: string;
      readonly description: string;
    }
  | {
      readonly kind: "event";
      readonly event: string;
      readonly data: Record<string, unknown>;
      readonly atMs: number;
    }
  /** Not JSON, or JSON of no known shape. */
  | { readonly kind: "garbage"; readonly line: string };

const greetingSchema = z.object({
  QMP: z.object({
    version: z.object({
      qemu: z.object({
        major: z.number(),
        minor: z.number(),
        micro: z.number(),
      }),
    }),
  }),
});
const returnSchema = z.object({
  return: z.unknown(),
  id: z.unknown().optional(),
});
const errorSchema = z.object({
  error: z.object({ class: z.string(), desc: z.string() }),
  id: z.unknown().optional(),
});
const eventSchema = z.object({
  event: z.string(),
  data: z.record(z.string(), z.unknown()).default({}),
  timestamp: z.object({ seconds: z.number(), microseconds: z.number() }),
});

export function decodeMessage(line: string): QmpMessage {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { kind: "garbage", line };
  }
  if (typeof value !== "object" || value === null)
    return { kind: "garbage", line };
  const event = eventSchema.safeParse(value);
  if (event.success) {
    const { seconds, microseconds } = event.data.timestamp;
    return {
      kind: "event",
      event: event.data.event,
      data: event.data.data,
      atMs: seconds * 1000 + microseconds / 1000,
    };
  }
  const error = errorSchema.safeParse(value);
  if (error.success) {
    const { class: errorClass, desc: description } = error.data.error;
    return { kind: "error", id: error.data.id, errorClass, description };
  }
  if ("return" in value) {
    const { return: result, id } = returnSchema.parse(value);
    return { kind: "return", id, value: result };
  }
  const greeting = greetingSchema.safeParse(value);
  if (greeting.success)
    return { kind: "greeting", version: greeting.data.QMP.version.qemu };
  return { kind: "garbage", line };
}

/** The longest reply of QEMU 7.2 to 10.0, `query-qmp-schema`, has about 200 KB. */
const maxLineBytes = 16 * 1024 * 1024;

/**
 * Joins chunks to lines; the returned function takes each chunk as it comes. Bytes, not text, so that a character
 * split between two chunks survives. `onOverflow` fires when a line never ends.
 */
export function lineReader(
  onLine: (line: string) => void,
  onOverflow: () => void,
): (chunk: Buffer) => void {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  return (chunk) => {
    let start = 0;
    for (
      let end = chunk.indexOf(0x0a);
      end >= 0;
      end = chunk.indexOf(0x0a, start)
    ) {
      pending.push(chunk.subarray(start, end));
      const line = Buffer.concat(pending).toString("utf8").trim();
      pending = [];
      pendingBytes = 0;
      start = end + 1;
      if (line !== "") onLine(line);
    }
    pending.push(chunk.subarray(start));
    pendingBytes += chunk.length - start;
    if (pendingBytes > maxLineBytes) onOverflow();
  };
}
