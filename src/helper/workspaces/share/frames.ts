/** What a host tells of a file, by place: mode, size, inode, links, then seconds and nanoseconds of mtime, ctime, atime; blocks, birth. */
export type Attributes = readonly number[];

/** One message of the guest's file system: a request with `i`, or one that wants no answer. */
export interface ShareRequest {
  /** Name of the operation. */
  readonly o: string;
  readonly i?: number;
  /** Path below the folder, and a second one; a character a byte. */
  readonly p?: string;
  readonly t?: string;
  /** Handle, which the guest chose. */
  readonly h?: number;
  /** Flags of open(2) on Linux, or of renameat2(2). */
  readonly f?: number;
  readonly m?: number;
  /** Offset, or size; and a count. */
  readonly s?: number;
  readonly c?: number;
  /** Times: seconds and nanoseconds. */
  readonly at?: readonly [number, number];
  readonly mt?: readonly [number, number];
}

/** Created (or replaced), deleted, modified, other attributes; `lost`: nobody will tell any more. */
export type ChangeKind = "c" | "d" | "m" | "a" | "lost";

/** Folder below the shared one, name in it, what happened, and what the file is now. */
export type Change = readonly [
  folder: string,
  name: string,
  kind: ChangeKind,
  attributes: Attributes | null,
];

export interface Frame {
  readonly fields: ShareRequest;
  readonly payload: Buffer;
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

/** More than the longest write and its names. */
const maxFrameBytes = 4 * 1024 * 1024;

/** Cuts a stream into frames. Throws an `Error` for what is none. */
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
      if (length > maxFrameBytes || text + 4 > length)
        throw new Error("the guest sent something else than a frame");
      if (this.#rest.length - at < 4 + length) break;
      const start = at + 8;
      const json = this.#rest.toString("utf8", start, start + text);
      frames.push({
        fields: JSON.parse(json) as ShareRequest,
        payload: this.#rest.subarray(start + text, at + 4 + length),
      });
      at += 4 + length;
    }
    this.#rest = this.#rest.subarray(at);
    return frames;
  }
}
