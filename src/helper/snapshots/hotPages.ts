import { open, readFile, stat } from "node:fs/promises";
import { sleep } from "../../base/deadline.ts";
import { replaceFile } from "../../base/files.ts";
import type { TemplateFiles } from "../store/layout.ts";

/**
 * Which parts of a template's memory a clone needs until its first login. It faults them in one by one, and where the host
 * has dropped some of them from its page cache it waits for the disk each time. So what the first clone used is noted once
 * it has come up, as one bit for each granule of the file, and is read while the QEMU of every later one starts.
 */
const granuleBytes = 64 * 1024;

/** From QEMU's start until somebody has logged in. */
const loggedInMs = 4_000;

/** Far more than a login needs: that clone was busy at once, and the next one is looked at. */
const mostBytes = 256 * 1024 * 1024;

/** Holds most runs whole: where a second read follows at once, the kernel goes on beyond what was asked for. */
const chunkBytes = 4 * 1024 * 1024;

const reading = new Map<string, Promise<void>>();

/**
 * Reads what clones need at once into the page cache, if that is known by now. Clones that are made at the same time
 * share it. Nothing depends on it, so whatever goes wrong is no failure.
 */
export function prefetchHotPages(files: TemplateFiles): Promise<void> {
  const { memory } = files;
  let done = reading.get(memory);
  if (done === undefined) {
    done = prefetch(files)
      .catch(() => undefined)
      .finally(() => reading.delete(memory));
    reading.set(memory, done);
  }
  return done;
}

async function prefetch({ memory, hotPages }: TemplateFiles): Promise<void> {
  const bits = await readFile(hotPages);
  const file = await open(memory, "r");
  try {
    const chunk = new Uint8Array(chunkBytes);
    for (const [from, to] of runs(bits))
      for (let at = from; at < to; at += chunkBytes)
        await file.read(chunk, 0, Math.min(chunkBytes, to - at), at);
  } finally {
    await file.close();
  }
}

/** Neighbouring granules whose bit is set, as offsets in bytes: from, to. */
export function* runs(bits: Uint8Array): Generator<[number, number]> {
  let from: number | undefined;
  for (let granule = 0; granule <= bits.length * 8; granule++) {
    const hot = (((bits[granule >> 3] ?? 0) >> (granule & 7)) & 1) === 1;
    if (hot) from ??= granule;
    else if (from !== undefined) {
      yield [from * granuleBytes, granule * granuleBytes];
      from = undefined;
    }
  }
}

/**
 * Notes what a clone has used of its template's memory some seconds after its start, where that isn't known yet. Only
 * Linux tells it (/proc/PID/pagemap, of one's own processes). Nothing depends on this either.
 */
export async function learnHotPages(
  pid: number,
  files: TemplateFiles,
  signal: AbortSignal,
): Promise<void> {
  try {
    if (await isThere(files.hotPages)) return;
    await sleep(loggedInMs, signal);
    const bits = await usedGranules(pid, files.memory);
    const bytes = [...runs(bits)].reduce(
      (sum, [from, to]) => sum + to - from,
      0,
    );
    if (bytes === 0 || bytes > mostBytes) return;
    await replaceFile(files.hotPages, bits);
  } catch {
    // No such system, process or template (any more).
  }
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

interface Mapping {
  readonly from: bigint;
  readonly to: bigint;
  /** In the file. */
  readonly offset: bigint;
  readonly pageBytes: number;
}

/** Bits 63 and 62 of an entry: the page is in memory, or was and is swapped out (Linux, admin-guide/mm/pagemap.rst). */
const used = 0xc0;
const entryBytes = 8;

async function usedGranules(pid: number, path: string): Promise<Uint8Array> {
  const { size } = await stat(path);
  const bits = new Uint8Array(Math.ceil(size / granuleBytes / 8));
  const mappings = mappingsOf(
    await readFile(`/proc/${String(pid)}/smaps`, "utf8"),
    path,
  );
  const pagemap = await open(`/proc/${String(pid)}/pagemap`, "r");
  try {
    for (const { from, to, offset, pageBytes } of mappings) {
      const first = Number(from / BigInt(pageBytes));
      const count = Number((to - from) / BigInt(pageBytes));
      const entries = new Uint8Array(chunkBytes);
      for (let page = 0; page < count;) {
        const { bytesRead } = await pagemap.read(
          entries,
          0,
          Math.min(chunkBytes, (count - page) * entryBytes),
          (first + page) * entryBytes,
        );
        if (bytesRead < entryBytes) break;
        for (
          let at = entryBytes - 1;
          at < bytesRead;
          at += entryBytes, page++
        ) {
          // Little endian: the highest bits come last.
          if (((entries[at] ?? 0) & used) === 0) continue;
          const granule = Math.floor(
            (Number(offset) + page * pageBytes) / granuleBytes,
          );
          bits[granule >> 3] = (bits[granule >> 3] ?? 0) | (1 << (granule & 7));
        }
      }
    }
  } finally {
    await pagemap.close();
  }
  return bits;
}

/** A file's mappings, from /proc/PID/smaps. */
function mappingsOf(smaps: string, path: string): Mapping[] {
  const mappings: Mapping[] = [];
  for (const part of smaps.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)) {
    const [, from = "", to = "", offset = "", of] =
      /^([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) \S+ \d+ +(.*)$/m.exec(part) ??
      [];
    const pageKiB = /^KernelPageSize: +(\d+) kB$/m.exec(part)?.[1];
    if (of !== path || pageKiB === undefined) continue;
    mappings.push({
      from: BigInt(`0x${from}`),
      to: BigInt(`0x${to}`),
      offset: BigInt(`0x${offset}`),
      pageBytes: Number(pageKiB) * 1024,
    });
  }
  return mappings;
}
