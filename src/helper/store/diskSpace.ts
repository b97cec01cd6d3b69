import { statfs } from "node:fs/promises";
import { type GuesthouseError, failed } from "../../protocol/failure.ts";
import { hasErrorCode } from "../../base/files.ts";

/** Bytes that an ordinary user may still write in this folder's file system. */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/** Fails with `host.diskFull` before any work is done where `bytes` can't fit. */
export async function requireSpace(
  folder: string,
  bytes: number,
  what: string,
): Promise<void> {
  const free = await freeBytes(folder);
  if (free >= bytes) return;
  throw failed(
    "host.diskFull",
    `${what} needs ${readableSize(bytes)} in ${folder}, but only ${readableSize(free)} are free.`,
    { remedy: spaceRemedy },
  );
}

/** What to throw when writing into `folder` failed: `host.diskFull` for a full disk, else the error as it is. */
export function asDiskFailure(
  error: unknown,
  folder: string,
  what: string,
): unknown {
  return isDiskFull(error) ? diskFull(folder, what, error) : error;
}

const isDiskFull = (error: unknown): boolean =>
  hasErrorCode(error, "ENOSPC") || hasErrorCode(error, "EDQUOT");

const diskFull = (
  folder: string,
  what: string,
  cause: unknown,
): GuesthouseError =>
  failed("host.diskFull", `The disk of ${folder} became full while ${what}.`, {
    remedy: spaceRemedy,
    cause,
  });

const spaceRemedy =
  "Free some space, delete images that you don't use, or point GUESTHOUSE_HOME at a larger disk; then try again.";

/** `1.5 GiB`, `200 MiB`, `12 KiB`. */
export function readableSize(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(
    units.length - 1,
    Math.max(0, Math.floor(Math.log2(Math.max(bytes, 1)) / 10)),
  );
  const value = bytes / 2 ** (10 * power);
  return `${value >= 10 || power === 0 ? value.toFixed(0) : value.toFixed(1)} ${units[power] ?? ""}`;
}
