import { createReadStream } from "node:fs";
import { lstat, readFile, readlink } from "node:fs/promises";
import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { pack, type Pack } from "tar-stream";
import { promiseWithResolvers } from "../../../base/deadline.ts";
import { isMissing } from "../../../base/files.ts";
import { pump } from "../../../base/pump.ts";

export interface CopyProgress {
  readonly files: number;
  readonly bytes: number;
}

/** A file of the host and the name it gets in the archive. */
export interface PackEntry {
  readonly local: string;
  readonly name: string;
}

/**
 * Writes a tar stream of the entries to `target` and ends it. Modes and symbolic links are kept; sockets, pipes and
 * devices left out, as is what vanished meanwhile. Throws what reading or writing throws.
 */
export async function packInto(
  target: Writable,
  entries: readonly PackEntry[],
  onProgress: (progress: CopyProgress) => void,
  signal?: AbortSignal,
): Promise<CopyProgress> {
  const archive = pack();
  const counted = { files: 0, bytes: 0 };
  const feed = async (): Promise<void> => {
    for await (const entry of readAhead(entries)) {
      signal?.throwIfAborted();
      const bytes = await addEntry(archive, entry);
      if (bytes === undefined) continue;
      counted.files += 1;
      counted.bytes += bytes;
      onProgress({ ...counted });
    }
    archive.finalize();
  };
  // However it ends, the archive goes with it: whoever waits for room or for data in it is let go.
  const end = (error: unknown): void =>
    archive.destroy(error instanceof Error ? error : new Error(String(error)));
  const onAbort = (): void => end(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  const fed = feed();
  const piped = pipeline(
    inLargeChunks(archive as AsyncIterable<Uint8Array>),
    target,
  );
  fed.catch(end);
  piped.catch(end);
  try {
    await Promise.all([fed, piped]);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
  return counted;
}

const largeBytes = 256 * 1024;

/**
 * Each chunk becomes packets that an emulated guest has to decrypt, and small files make three of them each. A chunk is
 * waited for until it has left, so it is a multiple of a packet.
 */
async function* inLargeChunks(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Buffer> {
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of source) {
    waiting.push(chunk);
    bytes += chunk.length;
    if (bytes < largeBytes) continue;
    yield Buffer.concat(waiting);
    waiting = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(waiting);
}

/** What is known of an entry before it is written. */
type Ready =
  | { readonly kind: "other" | "directory"; readonly header: Header }
  | {
      readonly kind: "symlink";
      readonly header: Header;
      readonly linkname: string;
    }
  | {
      readonly kind: "small";
      readonly header: Header;
      readonly content: Uint8Array;
    }
  | {
      readonly kind: "large";
      readonly header: Header;
      readonly local: string;
      readonly size: number;
    };

/** Entries that are read while one is written. */
const aheadCount = 16;

/** In their order; without those that are gone. */
async function* readAhead(
  entries: readonly PackEntry[],
): AsyncGenerator<Ready> {
  const begun: Promise<Ready | undefined>[] = [];
  for (const [i] of entries.entries()) {
    for (const entry of entries.slice(i + begun.length, i + aheadCount)) {
      const ready = read(entry);
      // Heard of in its turn, if that ever comes.
      ready.catch(() => undefined);
      begun.push(ready);
    }
    const ready = await begun.shift();
    if (ready !== undefined) yield ready;
  }
}

type Header = Parameters<Pack["entry"]>[0];

/** Read at once: a stream for each of ten thousand files costs more than their bytes. */
const smallBytes = 256 * 1024;

async function read({ local, name }: PackEntry): Promise<Ready | undefined> {
  try {
    const found = await lstat(local);
    const header = {
      ...{ name, mode: found.mode & 0o777 },
      ...timesOf(found.mtime),
    };
    if (found.isDirectory()) return { kind: "directory", header };
    if (found.isSymbolicLink())
      return { kind: "symlink", header, linkname: await readlink(local) };
    if (!found.isFile()) return { kind: "other", header };
    const { size } = found;
    return size > smallBytes
      ? { kind: "large", header, local, size }
      : { kind: "small", header, content: await readFile(local) };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** What eleven octal digits can say: until 2242. */
const latestSeconds = 8 ** 11 - 1;

/** Other times go into a record of pax(1), which tar reads as seconds of any sign. */
function timesOf(mtime: Date): Pick<Header, "mtime" | "pax"> {
  const seconds = Math.floor(mtime.getTime() / 1000);
  return seconds >= 0 && seconds <= latestSeconds
    ? { mtime }
    : { mtime: new Date(0), pax: { mtime: String(seconds) } };
}

const largeReadBytes = 1024 * 1024;

/** Bytes of a file or a link; undefined for what is none. */
async function addEntry(
  archive: Pack,
  ready: Ready,
): Promise<number | undefined> {
  const { header } = ready;
  switch (ready.kind) {
    case "other":
      return undefined;
    case "directory":
      await write(archive, { ...header, type: "directory" });
      return undefined;
    case "symlink":
      await write(archive, {
        ...header,
        type: "symlink",
        linkname: ready.linkname,
      });
      return 0;
    case "small":
      await write(archive, { ...header, type: "file" }, ready.content);
      return ready.content.length;
    case "large":
      return writeLargeFile(archive, header, ready.local, ready.size);
  }
}

async function writeLargeFile(
  archive: Pack,
  header: Header,
  local: string,
  size: number,
): Promise<number | undefined> {
  const source = createReadStream(local, {
    end: size - 1,
    highWaterMark: largeReadBytes,
  });
  // Opened before the header is written: an unreadable file must not leave half an entry behind.
  try {
    await opened(source);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  await pump(source, archive.entry({ ...header, type: "file", size }));
  return size;
}

function write(
  archive: Pack,
  header: Header,
  content?: Uint8Array,
): Promise<void> {
  const { promise, resolve, reject } = promiseWithResolvers<void>();
  const done = (error?: Error | null): void =>
    error ? reject(error) : resolve();
  if (content === undefined) archive.entry({ ...header, size: 0 }, done);
  else archive.entry({ ...header, size: content.length }, content, done);
  return promise;
}

function opened(source: Readable): Promise<void> {
  const { promise, resolve, reject } = promiseWithResolvers<void>();
  source.once("open", () => resolve());
  source.once("error", reject);
  return promise;
}
