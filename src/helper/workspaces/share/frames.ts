import * as z from "zod";

/** What a host tells of a file, by place: mode, size, inode, links, then seconds and nanoseconds of mtime, ctime, atime; blocks, birth. */
export type Attributes = readonly number[];

/** Created (or replaced), deleted, modified, other attributes; `lost`: the folder is not watched any more. */
export type ChangeKind = "c" | "d" | "m" | "a" | "lost";

/** Folder below the shared one, name in it, what happened, and what the file is now. */
export type Change = readonly [
  folder: string,
  name: string,
  kind: ChangeKind,
  attributes: Attributes | null,
];

/** The most that is read or written at once; the kernel of a guest asks for a quarter of it. */
export const maxTransferBytes = 1024 * 1024;
/** More than Linux takes, twice: a folder deep down may be moved to one that is deep down. */
const maxPathBytes = 16 * 1024;
/** Room for two paths, of which each byte may take six characters. */
const maxTextBytes = 256 * 1024;
const maxFrameBytes = 4 + maxTextBytes + maxTransferBytes;

/** Bytes, one character each: any other character would become another byte on its way to the system. */
const isBytes = (text: string): boolean =>
  !text.includes("\0") &&
  Buffer.from(text, "latin1").toString("latin1") === text;

/** A relative path that leads only downwards; the empty one is the shared folder itself. Pure. */
export const isPath = (path: string): boolean =>
  isBytes(path) &&
  (path === "" ||
    path
      .split("/")
      .every((name) => name !== "" && name !== "." && name !== ".."));

const path = z.string().max(maxPathBytes).refine(isPath);
const handle = z.int().min(1);
const mode = z.int().min(0).max(0o7777);
const flags = z.uint32();
/** Programs of the guest may ask for places that no file has: the system refuses those. */
const place = z.number().min(0);
const time = z.tuple([z.number(), z.int().min(0).max(999_999_999)]);
const i = z.int().min(1);

/** `i` is the request's number, without which it wants no answer; `p` and `t` are paths, `h` a handle that the guest chose. */
const requestSchema = z.discriminatedUnion("o", [
  z.strictObject({ o: z.literal("hello") }),
  z.strictObject({ o: z.literal("list"), i, p: path }),
  z
    .strictObject({
      ...{ o: z.literal("stat"), i },
      ...{ p: path.optional(), h: handle.optional() },
    })
    .refine(({ p, h }) => (p === undefined) !== (h === undefined)),
  /** `f`: flags of open(2) on Linux. After a broken connection the guest doesn't wait for the answer. */
  z.strictObject({
    ...{ o: z.literal("open"), i: i.optional() },
    ...{ p: path, h: handle, f: flags },
  }),
  z.strictObject({
    ...{ o: z.literal("create"), i, p: path },
    ...{ h: handle.optional(), m: mode, f: flags },
  }),
  /** `s`: where; `c`: how much. */
  z.strictObject({
    ...{ o: z.literal("read"), i, h: handle, s: place },
    c: z.int().min(0).max(maxTransferBytes),
  }),
  z.strictObject({ o: z.literal("write"), i, h: handle, s: place }),
  z.strictObject({ o: z.literal("close"), h: handle }),
  z.strictObject({ o: z.literal("sync"), i, h: handle }),
  /** `s`: size; times are seconds and nanoseconds. */
  z.strictObject({
    ...{ o: z.literal("set"), i, p: path, h: handle.optional() },
    ...{ m: mode.optional(), s: place.optional() },
    ...{ at: time.optional(), mt: time.optional() },
  }),
  z.strictObject({ o: z.literal("mkdir"), i, p: path, m: mode }),
  /** `t`: what the link says, which may be no path of the folder. */
  z.strictObject({
    ...{ o: z.literal("symlink"), i, p: path },
    t: z.string().max(maxPathBytes).refine(isBytes),
  }),
  /** `t`: the file that there is. */
  z.strictObject({ o: z.literal("link"), i, p: path, t: path }),
  z.strictObject({ o: z.literal("unlink"), i, p: path }),
  z.strictObject({ o: z.literal("rmdir"), i, p: path }),
  /** `f`: flags of renameat2(2). */
  z.strictObject({ o: z.literal("rename"), i, p: path, t: path, f: flags }),
  z.strictObject({ o: z.literal("readlink"), i, p: path }),
  z.strictObject({ o: z.literal("statfs"), i }),
]);

/** One message of the guest's file system. */
export type ShareRequest = z.infer<typeof requestSchema>;
export type RequestOf<O extends ShareRequest["o"]> = Extract<
  ShareRequest,
  { readonly o: O }
>;

export interface Frame {
  readonly fields: ShareRequest;
  /** What to write; empty with any other request. */
  readonly payload: Buffer;
}

/** The guest sent something that its file system never sends. Says nothing in the guest's own words. */
export class BadFrame extends Error {
  constructor(why: string) {
    super(`the guest sent an invalid request (${why})`);
  }
}

/** `u32 length of the rest, u32 length of the JSON, JSON, payload`, little-endian. Pure. */
export function packFrame(
  fields: object,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const text = Buffer.from(JSON.stringify(fields), "utf8");
  const head = Buffer.alloc(8);
  head.writeUInt32LE(4 + text.length + payload.length, 0);
  head.writeUInt32LE(text.length, 4);
  return Buffer.concat([head, text, payload]);
}

/** Cuts a stream into frames. Throws `BadFrame` for what isn't one. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  take(chunk: Buffer): Frame[] {
    this.#rest =
      this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: Frame[] = [];
    let at = 0;
    while (this.#rest.length - at >= 8) {
      const length = this.#rest.readUInt32LE(at);
      const text = this.#rest.readUInt32LE(at + 4);
      if (length > maxFrameBytes || text > maxTextBytes || text + 4 > length)
        throw new BadFrame("impossible length");
      if (this.#rest.length - at < 4 + length) break;
      const start = at + 8;
      const fields = requestIn(this.#rest.subarray(start, start + text));
      const payload = this.#rest.subarray(start + text, at + 4 + length);
      if (payload.length > (fields.o === "write" ? maxTransferBytes : 0))
        throw new BadFrame("impossible payload");
      frames.push({ fields, payload });
      at += 4 + length;
    }
    this.#rest = this.#rest.subarray(at);
    return frames;
  }
}

function requestIn(text: Buffer): ShareRequest {
  let fields: unknown;
  try {
    fields = JSON.parse(text.toString("utf8"));
  } catch {
    throw new BadFrame("not JSON");
  }
  const { data, error } = requestSchema.safeParse(fields);
  if (data !== undefined) return data;
  const [issue] = error.issues;
  throw new BadFrame(
    `${issue?.code ?? "unknown"} at ${issue?.path.join(".") ?? ""}`,
  );
}
