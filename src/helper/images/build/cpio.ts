/** One thing in a cpio archive; paths are relative, without a leading slash. */
export type CpioEntry =
  | { readonly kind: "folder"; readonly path: string }
  | {
      readonly kind: "file";
      readonly path: string;
      readonly data: Uint8Array;
      readonly executable?: boolean;
    }
  | {
      readonly kind: "characterDevice";
      readonly path: string;
      readonly major: number;
      readonly minor: number;
    };

/**
 * An initramfs in cpio's `newc` format (Linux: Documentation/driver-api/early-userspace/buffer-format.rst). Owner is
 * root and times are zero, so that equal contents give equal bytes. Folders must precede what they hold: the kernel
 * unpacks in order and creates no parents.
 */
export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  const parts: Buffer[] = [];
  entries.forEach((entry, index) => {
    const data = entry.kind === "file" ? Buffer.from(entry.data) : empty;
    parts.push(header(index + 1, entry, data.length), padded(data));
  });
  parts.push(header(0, undefined, 0));
  return padded(Buffer.concat(parts), 512);
}

const empty = Buffer.alloc(0);

function header(
  inode: number,
  entry: CpioEntry | undefined,
  size: number,
): Buffer {
  const name = Buffer.from(`${entry?.path ?? "TRAILER!!!"}\0`);
  const device = entry?.kind === "characterDevice" ? entry : undefined;
  const fields = [
    inode,
    mode(entry),
    0, // owner
    0, // group
    entry?.kind === "folder" ? 2 : 1,
    0, // modification time
    size,
    0, // the archive's own device
    0,
    device?.major ?? 0,
    device?.minor ?? 0,
    name.length,
    0, // checksum: not used by this variant
  ];
  const hex = fields.map((field) => field.toString(16).padStart(8, "0"));
  return padded(
    Buffer.concat([Buffer.from(`070701${hex.join("").toUpperCase()}`), name]),
  );
}

function mode(entry: CpioEntry | undefined): number {
  switch (entry?.kind) {
    case undefined:
      return 0;
    case "folder":
      return 0o040755;
    case "file":
      return entry.executable === true ? 0o100755 : 0o100644;
    case "characterDevice":
      return 0o020600;
  }
}

function padded(data: Buffer, to = 4): Buffer {
  const missing = (to - (data.length % to)) % to;
  return missing === 0 ? data : Buffer.concat([data, Buffer.alloc(missing)]);
}
