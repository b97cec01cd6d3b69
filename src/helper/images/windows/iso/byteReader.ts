import { hasErrorCode, isMissing, openAtOnce } from "../../../../base/files.ts";
import { failed, refused } from "../../../../protocol/failure.ts";

/** Something that bytes are read from, at any place of it. */
export interface ByteReader {
  readonly sizeBytes: number;
  /** Throws `images.invalid` when it ends before. */
  readonly read: (offset: number, length: number) => Promise<Buffer>;
}

/** Says that an ISO is not what it should be. */
export const invalidIso = (what: string): Error =>
  failed("images.invalid", `The ISO can't be read: ${what}.`, {
    remedy:
      "Check its checksum against the one on the page that it came from, or download it again.",
  });

/** Opens a file for the time that `use` takes. Throws `request.invalid` when there is none. */
export async function withFile<T>(
  path: string,
  use: (reader: ByteReader) => Promise<T>,
): Promise<T> {
  const file = await openAtOnce(path).catch((error: unknown) => {
    if (isMissing(error) || hasErrorCode(error, "ENOTDIR"))
      throw noFile(path, "There is no file");
    throw error;
  });
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw noFile(path, "This is no file:");
    const { size } = stat;
    return await use({
      sizeBytes: size,
      read: async (offset, length) => {
        if (offset < 0 || length < 0 || offset + length > size)
          throw invalidIso(
            `it points to byte ${String(offset + length)} and ends at ${String(size)}`,
          );
        const buffer = Buffer.alloc(length);
        const { bytesRead } = await file.read(buffer, 0, length, offset);
        if (bytesRead < length) throw invalidIso("it ended while it was read");
        return buffer;
      },
    });
  } finally {
    await file.close();
  }
}

const noFile = (path: string, what: string): Error =>
  refused("request.invalid", `${what} ${path}.`, {
    remedy: "Give the path of an ISO file.",
  });
