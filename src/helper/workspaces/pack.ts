import { createReadStream } from "node:fs";
import { lstat, readlink } from "node:fs/promises";
import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { pack, type Pack } from "tar-stream";
import { promiseWithResolvers } from "../../base/deadline.ts";
import { isMissing } from "../../base/files.ts";
import { pump } from "./pump.ts";

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
  const fed = feed().catch((error: unknown) => {
    // Ends the pipeline below, which then throws the same.
    archive.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  });
  const piped = pipeline(
    archive as AsyncIterable<Uint8Array>,
    target,
    signal === undefined ? {} : { signal },
  );
  // A feed whose target broke would wait for room for ever.
  await Promise.race([Promise.all([fed, piped]), rejection(piped)]);
  return counted;
}

function rejection(work: Promise<unknown>): Promise<never> {
  return new Promise((_, reject) => {
    work.catch(reject);
  });
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
      await writeFile(archive, header, local, found.size);
      counted.bytes += found.size;
    } else return false;
    counted.files += 1;
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

type Header = Parameters<Pack["entry"]>[0];

/** An entry without content. */
function write(archive: Pack, header: Header): Promise<void> {
  const { promise, resolve, reject } = promiseWithResolvers<void>();
  const done = (error?: Error | null): void =>
    error ? reject(error) : resolve();
  const entry = { ...header, size: 0 };
  // A file's entry waits for its content, even for none.
  if (header.type === "file") archive.entry(entry, "", done);
  else archive.entry(entry, done);
  return promise;
}

async function writeFile(
  archive: Pack,
  header: Header,
  local: string,
  size: number,
): Promise<void> {
  if (size === 0) return write(archive, { ...header, type: "file" });
  const source = createReadStream(local, { end: size - 1 });
  // Opened before the header is written: an unreadable file must not leave half an entry behind.
  await opened(source);
  const sink = archive.entry({ ...header, type: "file", size });
  await pump(source, sink);
}

function opened(source: Readable): Promise<void> {
  const { promise, resolve, reject } = promiseWithResolvers<void>();
  source.once("open", () => resolve());
  source.once("error", reject);
  return promise;
}
