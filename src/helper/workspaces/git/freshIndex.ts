import type { Stats } from "node:fs";
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { hostGit } from "./hostGit.ts";

/**
 * A repository's index says of each file when it was last seen and as which inode. In a copy every file is another one,
 * so the first look at it reads and hashes all of them again, which takes an emulated guest longer than to unpack them.
 * Where the host's file is what its index says, the copy is, too: it gets the copy's times and inode here.
 *
 * For `python3 -IS -c SCRIPT GIT_FOLDER HASH`, in the work tree, with the names of files that may be others than the
 * index says on standard input, NUL-terminated. Format: git's Documentation/gitformat-index.txt, versions 2 to 4; what
 * it doesn't know it leaves alone. The file's own time stays: git reads what changed at or after it once more.
 */
export const freshIndexScript = String.raw`
import hashlib, os, stat, struct, sys
path = sys.argv[1] + "/index"
length = hashlib.new(sys.argv[2]).digest_size
others = set(sys.stdin.buffer.read().split(b"\0"))
with open(path, "rb") as file:
    data = bytearray(file.read())
    times = os.fstat(file.fileno())
magic, version, count = struct.unpack_from(">4sII", data)
if magic != b"DIRC" or not 2 <= version <= 4:
    sys.exit()
fields = struct.Struct(">10I")
at, name = 12, b""
for _ in range(count):
    flags = at + 40 + length
    begin = flags + (4 if data[flags] & 0x40 else 2)
    if version == 4:
        byte, begin = data[begin], begin + 1
        cut = byte & 127
        while byte & 128:
            byte, begin = data[begin], begin + 1
            cut = ((cut + 1) << 7) + (byte & 127)
        end = data.index(0, begin)
        name = name[:len(name) - cut] + bytes(data[begin:end])
        after = end + 1
    else:
        end = data.index(0, begin)
        name = bytes(data[begin:end])
        after = at + ((end - at) & ~7) + 8
    entry = fields.unpack_from(data, at)
    if name not in others:
        try:
            seen = os.lstat(name)
        except OSError:
            seen = None
        if (
            seen is not None
            and stat.S_IFMT(seen.st_mode) == entry[6] & 0o170000
            and seen.st_mtime_ns // 1000000000 == entry[2]
            and seen.st_size & 0xFFFFFFFF == entry[9]
        ):
            fields.pack_into(
                data, at,
                seen.st_ctime_ns // 1000000000 & 0xFFFFFFFF, seen.st_ctime_ns % 1000000000,
                entry[2], seen.st_mtime_ns % 1000000000,
                seen.st_dev & 0xFFFFFFFF, seen.st_ino & 0xFFFFFFFF,
                entry[6], seen.st_uid & 0xFFFFFFFF, seen.st_gid & 0xFFFFFFFF, entry[9],
            )
    at = after
body = len(data) - length
while at < body:
    kind, size = struct.unpack_from(">4sI", data, at)
    if kind == b"link":
        sys.exit()  # its entries are in another file
    at += 8 + size
if at != body:
    sys.exit(1)
if any(data[body:]):
    data[body:] = hashlib.new(sys.argv[2], data[:body]).digest()
lock = path + ".lock"
file = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, times.st_mode & 0o777)
try:
    with open(file, "wb") as out:
        os.fchmod(file, times.st_mode & 0o777)
        out.write(data)
    os.utime(lock, ns=(times.st_atime_ns, times.st_mtime_ns))
    os.rename(lock, path)
except OSError:
    os.unlink(lock)
    raise
`;

/** An entry of the index as git shows it: seconds and nanoseconds, inode and size in 32 bits. Zero: not recorded. */
interface IndexEntry {
  readonly name: string;
  readonly ctime: readonly [number, number];
  readonly mtime: readonly [number, number];
  readonly inode: number;
  readonly size: number;
}

const shown =
  /([^\0]+)\0 {2}ctime: (\d+):(\d+)\n {2}mtime: (\d+):(\d+)\n {2}dev: \d+\tino: (\d+)\n {2}uid: \d+\tgid: \d+\n {2}size: (\d+)\tflags: [0-9a-f]+(?:\n|$)/gy;

/** Reads what `git ls-files -z --debug` prints; undefined where it is something else. Pure. */
export function parseIndexEntries(output: string): IndexEntry[] | undefined {
  const entries: IndexEntry[] = [];
  let end = 0;
  for (const found of output.matchAll(shown)) {
    const [all, name = "", ...numbers] = found;
    const [cs = 0, cn = 0, ms = 0, mn = 0, inode = 0, size = 0] =
      numbers.map(Number);
    entries.push({ name, ctime: [cs, cn], mtime: [ms, mn], inode, size });
    end = found.index + all.length;
  }
  return end === output.length ? entries : undefined;
}

/**
 * The files of a repository of the host that may be others than its index says, by their times, inodes and sizes alone: nothing
 * is read, as that may start the repository's filters. Undefined where nothing is gained by knowing: every one may.
 */
export async function otherThanIndexed(
  folder: string,
  signal?: AbortSignal,
): Promise<string[] | undefined> {
  const { code, stdout } = await hostGit(
    folder,
    ["ls-files", "-z", "--debug"],
    { fine: [0, 128], env: { GIT_OPTIONAL_LOCKS: "0" } },
    signal,
  );
  const entries = code === 0 ? parseIndexEntries(stdout) : undefined;
  if (entries === undefined) return undefined;
  const others: string[] = [];
  const batch = 256;
  for (let i = 0; i < entries.length; i += batch) {
    signal?.throwIfAborted();
    const looked = await Promise.all(
      entries.slice(i, i + batch).map(async (entry) => {
        const found = await lstat(join(folder, entry.name)).catch(
          () => undefined,
        );
        return found !== undefined && isAsIndexed(entry, found)
          ? undefined
          : entry.name;
      }),
    );
    for (const name of looked) if (name !== undefined) others.push(name);
  }
  return others.length < entries.length ? others : undefined;
}

const word = 2 ** 32;

function isAsIndexed(entry: IndexEntry, found: Stats): boolean {
  const { ctime, mtime, inode, size } = entry;
  return (
    sameTime(ctime, found.ctimeMs) &&
    sameTime(mtime, found.mtimeMs) &&
    (inode === 0 || inode === found.ino % word) &&
    size === found.size % word
  );
}

/** Milliseconds are a fraction of a nanosecond off, so its microseconds are compared; some builds of git keep seconds only. */
function sameTime(
  [seconds, nanoseconds]: readonly [number, number],
  ms: number,
) {
  const sameSecond = Math.floor(ms / 1000) % word === seconds;
  if (nanoseconds === 0) return sameSecond;
  return sameSecond && Math.abs((ms % 1000) * 1e6 - nanoseconds) < 1_000;
}
