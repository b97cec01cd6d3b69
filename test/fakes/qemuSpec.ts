import { join } from "node:path";
import type {
  PortForward,
  VmNetwork,
  VmSpec,
} from "../../src/helper/qemu/commandLine.ts";

export const userNetwork = (forwards: readonly PortForward[]): VmNetwork => ({
  backend: "user",
  guestAddress: "10.0.2.32",
  firstLease: "10.0.2.32",
  forwards,
});

/** A small machine whose files lie in `folder`; without a kernel, so that it boots from its disk. */
export const qemuSpec = (
  folder: string,
  changes: Partial<VmSpec> = {},
): VmSpec => ({
  arch: "x86_64",
  qemuVersion: { major: 7, minor: 2 },
  name: "attic",
  uuid: "7d1c3c0e-52c5-4c1e-9a55-0d4f1f6c0001",
  accelerator: "tcg",
  cpus: 2,
  memoryMiB: 1024,
  diskPath: join(folder, "disk.qcow2"),
  macAddress: "52:54:00:67:68:01",
  network: userNetwork([]),
  qmpSocket: join(folder, "qmp"),
  agentSocket: join(folder, "agent"),
  handoffPath: join(folder, "handoff"),
  consoleSocket: join(folder, "console"),
  consoleLog: join(folder, "console.log"),
  pidFile: join(folder, "qemu.pid"),
  sandbox: true,
  vmGenerationId: "7d1c3c0e-52c5-4c1e-9a55-0d4f1f6c0002",
  ...changes,
});
