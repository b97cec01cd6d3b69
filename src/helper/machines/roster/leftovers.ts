import { rm } from "node:fs/promises";
import type { MachineFiles } from "../../store/layout.ts";

/** Sockets, pid files and handles of a QEMU that is gone, of its network and its TPM. */
export async function removeLeftovers(files: MachineFiles): Promise<void> {
  for (const path of [
    files.qmpSocket,
    files.agentSocket,
    files.consoleSocket,
    files.screenSocket,
    files.captureSocket,
    files.network.socketPath,
    files.network.pidFile,
    files.tpm.socketPath,
    files.tpm.pidFile,
    files.pidFile,
    files.handles,
  ])
    await rm(path, { force: true });
}
