import { execa } from "execa";
import * as z from "zod";
import type { ProcessTable } from "./facts.ts";

const columns =
  "ProcessId,CommandLine,WorkingSetSize,UserModeTime,KernelModeTime,@{n='Start';e={$_.CreationDate.Ticks}}";

/** Asks the class Win32_Process; times in it are units of 100 ns. */
export const windowsProcesses: ProcessTable = {
  async startTime(pid) {
    return (await one(pid))?.startTime;
  },
  async commandLine(pid) {
    const line = (await one(pid))?.commandLine;
    return line === undefined ? undefined : [line];
  },
  async usage(pid) {
    const row = await one(pid);
    return row === undefined
      ? undefined
      : { cpuSeconds: row.cpuSeconds, memoryBytes: row.memoryBytes };
  },
  async mine() {
    // Another user's processes show no command line, so they can never match a marker.
    return (await query(undefined)).map(({ pid }) => pid);
  },
};

const rowSchema = z
  .object({
    ProcessId: z.number(),
    CommandLine: z.string().nullish(),
    WorkingSetSize: z.number().nullish(),
    UserModeTime: z.number().nullish(),
    KernelModeTime: z.number().nullish(),
    Start: z.number().nullish(),
  })
  .transform((row) => ({
    pid: row.ProcessId,
    commandLine: row.CommandLine ?? "",
    memoryBytes: row.WorkingSetSize ?? 0,
    cpuSeconds: ((row.UserModeTime ?? 0) + (row.KernelModeTime ?? 0)) / 1e7,
    startTime: String(row.Start ?? 0),
  }));

/** ConvertTo-Json writes nothing for no row, an object for one and an array for more. */
export function parseRows(json: string): z.output<typeof rowSchema>[] {
  if (json.trim() === "") return [];
  const value: unknown = JSON.parse(json);
  return z.array(rowSchema).parse(Array.isArray(value) ? value : [value]);
}

const one = async (
  pid: number,
): Promise<z.output<typeof rowSchema> | undefined> =>
  (await query(`ProcessId=${String(pid)}`))[0];

async function query(
  filter: string | undefined,
): Promise<z.output<typeof rowSchema>[]> {
  const where = filter === undefined ? "" : ` -Filter "${filter}"`;
  const { stdout } = await execa("powershell.exe", [
    "-NoProfile",
    "-NonInteractive",
    "-Command",
    `Get-CimInstance Win32_Process${where} | Select-Object ${columns} | ConvertTo-Json -Compress`,
  ]);
  return parseRows(stdout);
}
