import { readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { hasErrorCode } from "../../base/files.ts";
import type { ProcessTable } from "./facts.ts";

/** Reads below /proc, see proc(5). */
export const linuxProcesses: ProcessTable = {
  async startTime(pid) {
    const fields = await statFields(pid);
    if (fields === undefined || fields.ended) return undefined;
    // Ticks count from the boot, so without the boot's id the first daemons of two boots could be taken for each other.
    return `${await bootId()}:${fields.startTicks}`;
  },

  async commandLine(pid) {
    const text = await read(pid, "cmdline");
    return text?.split("\0").slice(0, -1);
  },

  async usage(pid) {
    const fields = await statFields(pid);
    if (fields === undefined || fields.ended) return undefined;
    const memory = await read(pid, "smaps_rollup");
    const shareKiB = /^Pss:\s+(\d+) kB$/m.exec(memory ?? "")?.[1];
    return {
      cpuSeconds: fields.cpuTicks / ticksPerSecond,
      memoryBytes: Number(shareKiB ?? 0) * 1024,
    };
  },

  async mine() {
    const user = process.getuid?.();
    const entries = await readdir("/proc");
    const owned = await Promise.all(
      entries
        .filter((name) => /^\d+$/.test(name))
        .map(async (name) => {
          const owner = await stat(join("/proc", name)).catch(() => undefined);
          // What made itself undumpable, as passt does, looks like root's; its status says whose it is.
          const uid =
            owner?.uid === 0 && user !== 0
              ? await realUser(Number(name))
              : owner?.uid;
          return uid === user ? [Number(name)] : [];
        }),
    );
    return owned.flat();
  },
};

async function realUser(pid: number): Promise<number | undefined> {
  const found = /^Uid:\s+(\d+)/m.exec((await read(pid, "status")) ?? "")?.[1];
  return found === undefined ? undefined : Number(found);
}

/** USER_HZ, the same on every architecture that Node runs on. */
const ticksPerSecond = 100;

interface StatFields {
  /**
   * A zombie's number is still taken, but it runs no more. One of several threads has only lost its first: the others
   * still hold what it opened, as a killed QEMU's the locks of its disks.
   */
  readonly ended: boolean;
  readonly cpuTicks: number;
  readonly startTicks: string;
}

async function statFields(pid: number): Promise<StatFields | undefined> {
  const text = await read(pid, "stat");
  return text === undefined ? undefined : parseStat(text);
}

/** Field numbers as in proc_pid_stat(5); the name (2) may hold spaces and brackets, so counting starts after it. */
export function parseStat(text: string): StatFields | undefined {
  const afterName = text
    .slice(text.lastIndexOf(")") + 2)
    .trim()
    .split(" ");
  const field = (number: number): string | undefined => afterName[number - 3];
  const startTicks = field(22);
  if (startTicks === undefined) return undefined;
  const state = field(3) ?? "";
  const threads = Number(field(20));
  return {
    ended: state === "Z" ? threads <= 1 : ["X", "x"].includes(state),
    cpuTicks: Number(field(14)) + Number(field(15)),
    startTicks,
  };
}

let bootIdMemo: Promise<string> | undefined;
const bootId = (): Promise<string> =>
  (bootIdMemo ??= readFile("/proc/sys/kernel/random/boot_id", "utf8").then(
    (text) => text.trim(),
  ));

async function read(pid: number, file: string): Promise<string | undefined> {
  try {
    return await readFile(join("/proc", String(pid), file), "utf8");
  } catch (error) {
    // ESRCH: it ended between opening and reading.
    if (hasErrorCode(error, "ENOENT") || hasErrorCode(error, "ESRCH"))
      return undefined;
    if (hasErrorCode(error, "EACCES") || hasErrorCode(error, "EPERM"))
      return undefined;
    throw error;
  }
}
