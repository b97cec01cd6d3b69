import { createReadStream } from "node:fs";
import { lstat, readFile, readlink } from "node:fs/promises";
import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { pack, type Pack } from "tar-stream";
import { promiseWithResolvers } from "../../base/deadline.ts";
import { isMissing } from "../../base/files.ts";
import { pump } from "../../base/pump.ts";

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
    for (const entry of entries) {
      signal?.throwIfAborted();
      if (!(await addEntry(archive, entry, counted))) continue;
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

const largeBytes = 32 * 1024;

/** Each chunk becomes a packet that an emulated guest has to decrypt, and small files make three of them each. */
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

async function addEntry(
  archive: Pack,
  { local, name }: PackEntry,
  counted: { files: number; bytes: number },
): Promise<boolean> {
  try {
    const found = await lstat(local);
    const header = { name, mode: found.mode & 0o777, mtime: found.mtime };
    if (found.isDirectory()) {
      await write(archive, { ...header, type: "directory" });
      return false;
    }
    if (found.isSymbolicLink()) {
      const linkname = await readlink(local);
      await write(archive, { ...header, type: "symlink", linkname });
    } else if (found.isFile()) {
      counted.bytes +=
        found.size <= smallBytes
          ? await writeSmallFile(archive, header, local)
          : await writeLargeFile(archive, header, local, found.size);
    } else return false;
    counted.files += 1;
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

type Header = Parameters<Pack["entry"]>[0];

/** Read at once: a stream for each of ten thousand files costs more than their bytes. */
const smallBytes = 256 * 1024;

async function writeSmallFile(
  archive: Pack,
  header: Header,
  local: string,
): Promise<number> {
  const content = await readFile(local);
  await write(archive, { ...header, type: "file" }, content);
  return content.length;
}

async function writeLargeFile(
  archive: Pack,
  header: Header,
  local: string,
  size: number,
): Promise<number> {
  const source = createReadStream(local, { end: size - 1 });
  // Opened before the header is written: an unreadable file must not leave half an entry behind.
  await opened(source);
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
