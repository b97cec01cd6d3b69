import { readIfPresent } from "../../../base/files.ts";
import {
  findQemu,
  isOurQemu,
  processIdentity,
  type ProcessIdentity,
} from "../../qemu/process.ts";
import type { MachineFiles } from "../../store/layout.ts";
import type { readHandles } from "../../store/records.ts";

/** The machine's QEMU by its handles, else by its pid file, else by looking at every process of ours. */
export async function findLiving(
  files: MachineFiles,
  known: Awaited<ReturnType<typeof readHandles>>,
): Promise<ProcessIdentity | undefined> {
  if (known.kind === "read") {
    const { pid, startTime } = known.value;
    if (await isOurQemu({ pid, startTime }, files.qmpSocket))
      return { pid, startTime };
  }
  const pidText = await readIfPresent(files.pidFile);
  if (pidText === undefined && known.kind === "missing") return undefined;
  const pid = Number(pidText?.trim());
  if (Number.isInteger(pid) && pid > 0) {
    const identity = await processIdentity(pid);
    if (identity !== undefined && (await isOurQemu(identity, files.qmpSocket)))
      return identity;
  }
  return (await findQemu(files.qmpSocket))[0];
}
