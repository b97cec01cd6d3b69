import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach } from "vitest";
import {
  type VmSpec,
  qemuArguments,
} from "../../../src/helper/qemu/commandLine.ts";
import {
  type LaunchedQemu,
  type ProcessIdentity,
  endProcess,
  launchQemu,
  waitForExit,
} from "../../../src/helper/qemu/process.ts";
import { makeHandoffFifos } from "../../../src/helper/guests/handoff/port.ts";
import { findProgram } from "../../../src/helper/processes/programs.ts";
import { qemuSpec } from "../../fakes/qemuSpec.ts";

const cleanUps: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

export async function scratchFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "guesthouse-test-"));
  cleanUps.push(() =>
    rm(folder, { recursive: true, force: true, maxRetries: 5 }),
  );
  return folder;
}

/** Kills it after the test, whatever happened. */
export function owned<T extends ProcessIdentity>(identity: T): T {
  cleanUps.push(async () => {
    await endProcess(identity, "SIGKILL");
    await waitForExit(identity, 5_000);
  });
  return identity;
}

export async function qemuBinary(): Promise<string> {
  const binary = await findProgram("qemu-system-x86_64");
  if (binary === undefined) throw new Error("qemu-system-x86_64 is missing");
  return binary;
}

/** An empty disk of 64 MiB, and the FIFOs without which QEMU does not start. */
export async function emptyDisk(folder: string): Promise<string> {
  const path = join(folder, "disk.qcow2");
  await makeHandoffFifos(join(folder, "handoff"));
  await execa("qemu-img", ["create", "-q", "-f", "qcow2", path, "64M"]);
  return path;
}

/** A machine that waits before its first instruction: the whole of QEMU without a guest. */
export async function waitingMachine(
  changes: Partial<VmSpec> = {},
  inherit: readonly number[] = [],
): Promise<LaunchedQemu & { spec: VmSpec }> {
  const folder = await scratchFolder();
  await emptyDisk(folder);
  const spec = qemuSpec(folder, { memoryMiB: 128, stopped: true, ...changes });
  const launched = owned(
    await launchQemu({
      binary: await qemuBinary(),
      args: qemuArguments(spec),
      logPath: join(folder, "qemu.log"),
      cwd: folder,
      qmpSocket: spec.qmpSocket,
      inherit,
    }),
  );
  return { ...launched, spec };
}
