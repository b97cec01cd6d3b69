import type { Log } from "../../../base/log.ts";
import type { Accelerator } from "../../../protocol/host.ts";
import type { Architecture } from "../../../protocol/images.ts";
import { chooseAccelerator } from "../../host/accelerator.ts";
import { findTools, requireTool } from "../../host/tools.ts";
import { chooseNetwork, type NetworkChoice } from "../../networks/backend.ts";
import type { QemuArchitecture } from "../../qemu/commandLine.ts";
import { inspectQemu, type QemuFacts } from "../../qemu/inspect.ts";
import type { Layout } from "../../store/layout.ts";

/** What this host runs machines with. */
export interface Environment {
  readonly binary: string;
  readonly arch: QemuArchitecture;
  readonly qemu: QemuFacts;
  readonly accelerator: Accelerator;
  readonly network: NetworkChoice;
}

export const hostArchitecture = (): Architecture =>
  process.arch === "arm64" ? "arm64" : "amd64";

export const qemuArchitecture = (
  architecture: Architecture,
): QemuArchitecture => (architecture === "arm64" ? "aarch64" : "x86_64");

/**
 * Looks at the host afresh at each call; what is slow in it (the trials of accelerator and network, asking the binary) is
 * remembered by those who do it. Fails with `host.toolMissing` when QEMU is not installed.
 */
export async function surveyHost(
  layout: Layout,
  architecture: Architecture,
  log: Log,
  signal?: AbortSignal,
): Promise<Environment> {
  const arch = qemuArchitecture(architecture);
  const tools = await findTools(arch, signal);
  const binary = requireTool(tools, "qemuSystem").path;
  requireTool(tools, "qemuImg");
  const [qemu, accelerator, network] = await Promise.all([
    inspectQemu(binary, signal),
    chooseAccelerator(
      { binary, arch, cachePath: layout.accelerator, log },
      signal,
    ),
    chooseNetwork(
      { passt: tools.passt?.path, cachePath: layout.networkTrials, log },
      signal,
    ),
  ]);
  return { binary, arch, qemu, accelerator, network };
}
