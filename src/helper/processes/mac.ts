import { execa } from "execa";
import type { ProcessTable } from "./facts.ts";

/** Asks ps(1). */
export const macProcesses: ProcessTable = {
  async startTime(pid) {
    const line = await ps(pid, "state=,lstart=");
    return line === undefined ? undefined : parseStart(line);
  },
  async commandLine(pid) {
    const line = await ps(pid, "command=");
    return line === undefined ? undefined : [line];
  },
  async usage(pid) {
    const line = await ps(pid, "time=,rss=");
    return line === undefined ? undefined : parseUsage(line);
  },
  async mine() {
    const { stdout } = await execa("ps", ["-x", "-o", "pid="]);
    return stdout
      .split("\n")
      .map(Number)
      .filter((pid) => pid > 0);
  },
};

async function ps(pid: number, columns: string): Promise<string | undefined> {
  // -ww: the whole command line, however long.
  const { exitCode, stdout } = await execa(
    "ps",
    ["-ww", "-o", columns, "-p", String(pid)],
    // Month and day names must not change between two calls.
    { reject: false, env: { LC_ALL: "C" } },
  );
  const line = stdout.trim();
  return exitCode === 0 && line !== "" ? line : undefined;
}

/** `S    Sat Nov 22 03:54:01 2026`; a zombie counts as gone. */
export function parseStart(line: string): string | undefined {
  const [state, ...start] = line.split(/\s+/);
  return state?.startsWith("Z") === true ? undefined : start.join(" ");
}

/** `1:02:03.45  20480`: processor time as [[days-]hours:]minutes:seconds, resident KiB. */
export function parseUsage(
  line: string,
): { cpuSeconds: number; memoryBytes: number } | undefined {
  const match = /^(?:(\d+)-)?(?:(\d+):)?(\d+):([\d.]+)\s+(\d+)$/.exec(line);
  if (match === null) return undefined;
  const [, days, hours, minutes, seconds, residentKiB] = match;
  return {
    cpuSeconds:
      Number(days ?? 0) * 86_400 +
      Number(hours ?? 0) * 3600 +
      Number(minutes) * 60 +
      Number(seconds),
    memoryBytes: Number(residentKiB) * 1024,
  };
}
