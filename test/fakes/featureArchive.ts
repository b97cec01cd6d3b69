import { pack } from "tar-stream";

export interface ArchiveEntry {
  readonly name: string;
  readonly content?: string;
  readonly type?:
    "file" | "directory" | "symlink" | "link" | "fifo" | "block-device";
  readonly linkname?: string;
  /** Default: now. */
  readonly mtime?: Date;
}

/** A tar as somebody else might have made it: with whatever names and links. */
export async function featureArchive(
  entries: readonly ArchiveEntry[],
): Promise<Buffer> {
  const archive = pack();
  for (const { content, ...header } of entries)
    archive.entry(header, content ?? "");
  archive.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of archive as AsyncIterable<Uint8Array>)
    chunks.push(chunk);
  return Buffer.concat(chunks);
}
