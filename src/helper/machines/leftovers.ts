import { rm } from "node:fs/promises";
import type { MachineFiles } from "../store/layout.ts";

/** Sockets, pid file and handles of a QEMU that is gone. */
export async function removeLeftovers(files: MachineFiles): Promise<void> {
  for (const path of [
    files.qmpSocket,
    files.agentSocket,
    files.consoleSocket,
    files.captureSocket,
    files.pidFile,
    files.handles,
  ])
    await rm(path, { force: true });
}
