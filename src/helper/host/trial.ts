import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { given } from "../../base/given.ts";
import { cancelled } from "../../protocol/failure.ts";
import type { Accelerator, AcceleratorKind } from "../../protocol/host.ts";
import {
  type QemuArchitecture,
  processorArguments,
} from "../qemu/commandLine.ts";
import { trialPayload } from "./trialPayload.ts";

export type Trial = Accelerator["trials"][number];

export interface TrialRequest {
  readonly binary: string;
  readonly arch: QemuArchitecture;
  readonly kind: AcceleratorKind;
  readonly timeoutMs: number;
}

/**
 * Boots a guest of some hundred bytes under one accelerator and says whether it ran 64-bit code in time. Never throws
 * for an accelerator that doesn't work; nothing stays behind.
 */
export async function tryAccelerator(
  request: TrialRequest,
  signal?: AbortSignal,
): Promise<Trial> {
  const { binary, arch, kind, timeoutMs } = request;
  const payload = trialPayload(arch);
  // Also its working directory: an aborting QEMU may leave a core file.
  const folder = await mkdtemp(join(tmpdir(), "guesthouse-trial-"));
  const begin = performance.now();
  try {
    const kernel = join(folder, "payload");
    await writeFile(kernel, payload.kernel);
    const end = await execa(
      binary,
      [
        ...["-nodefaults", "-no-user-config", "-display", "none"],
        ...processorArguments({ arch, accelerator: kind, cpus: 1 }),
        ...["-m", "size=64M", "-no-reboot", "-kernel", kernel],
        ...payload.arguments,
      ],
      {
        cwd: folder,
        stdin: "ignore",
        reject: false,
        timeout: timeoutMs,
        // A guest that hangs inside the kernel's virtualization can keep QEMU from obeying a polite signal.
        killSignal: "SIGKILL",
        ...given({ cancelSignal: signal }),
      },
    );
    if (signal?.aborted === true) throw cancelled();
    const worked = payload.succeeded(end.exitCode, end.stdout);
    return {
      kind,
      worked,
      detail: describe(kind, worked, end, timeoutMs),
      tookMs: Math.round(performance.now() - begin),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface End {
  readonly timedOut: boolean;
  readonly exitCode?: number | undefined;
  readonly signal?: string | undefined;
  readonly stderr: string;
}

/** One sentence about a trial's end. Pure. */
export function describe(
  kind: AcceleratorKind,
  worked: boolean,
  end: End,
  timeoutMs: number,
): string {
  const name = acceleratorNames[kind];
  if (worked) return `${name} ran 64-bit guest code.`;
  if (end.timedOut)
    return `${name} opens, but the trial guest ran no code within ${String(timeoutMs / 1000)} s.`;
  const how =
    end.signal === undefined
      ? `exit code ${String(end.exitCode)}`
      : `signal ${end.signal}`;
  const words = end.stderr
    .split("\n")
    .map((line) => line.replace(/^\S*qemu-system-\S+: /, "").trim())
    .find((line) => line !== "" && !line.startsWith("warning:"));
  return `${name} does not run the trial guest: QEMU ended with ${how}${words === undefined ? "" : ` (${words})`}.`;
}

export const acceleratorNames: Record<AcceleratorKind, string> = {
  kvm: "KVM",
  hvf: "Apple's Hypervisor framework",
  whpx: "Windows Hypervisor Platform",
  tcg: "Software emulation",
};
