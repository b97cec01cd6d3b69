import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { makePrivateFolder } from "../../base/files.ts";
import { readJson, writeJson } from "../../base/jsonFile.ts";
import { isSameProcess, processIdentity } from "../qemu/process.ts";

const leaseSchema = z.object({
  /** Name or alias, as ssh was told. */
  machine: z.string(),
  pid: z.number().int(),
  startTime: z.string(),
});

/**
 * One file for each ssh connection that this proxy process carries. It belongs to the process and not to a helper, so
 * helpers that come and go count the same; one whose process is gone counts for nothing (B14, B15).
 */
export async function takeLease(
  folder: string,
  machine: string,
): Promise<{ release(): Promise<void> }> {
  const { pid } = process;
  const path = join(folder, `${String(pid)}.json`);
  const { startTime = "" } = (await processIdentity(pid)) ?? {};
  await makePrivateFolder(folder);
  await writeJson(path, { machine, pid, startTime });
  return { release: () => rm(path, { force: true }) };
}

/** Names or aliases of machines with ssh connections now. Leases of processes that ended are taken away. */
export async function leasedMachines(folder: string): Promise<Set<string>> {
  const machines = new Set<string>();
  for (const name of await readdir(folder).catch(() => [])) {
    if (!/^\d+\.json$/.test(name)) continue;
    const path = join(folder, name);
    const read = await readJson(path, (value) => leaseSchema.parse(value));
    if (read.kind === "missing") continue;
    if (read.kind === "read" && (await isSameProcess(read.value)))
      machines.add(read.value.machine);
    else await rm(path, { force: true });
  }
  return machines;
}
