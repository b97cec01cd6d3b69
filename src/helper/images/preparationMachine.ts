import { randomBytes, randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Log } from "../../base/log.ts";
import { failed } from "../../protocol/failure.ts";
import type { Accelerator } from "../../protocol/host.ts";
import type { BootStage } from "../../protocol/machines.ts";
import { diagnose } from "../guests/diagnosis.ts";
import { hostSettings } from "../guests/hostSettings.ts";
import { bootOnce, endAbandoned } from "../guests/oneBoot.ts";
import { watchBoot } from "../guests/readiness.ts";
import { bootTimeoutMs } from "../guests/timeouts.ts";
import { findTools, requireTool } from "../host/tools.ts";
import { newMacAddress } from "../networks/macAddress.ts";
import type { DirectBoot } from "../qemu/commandLine.ts";
import { inspectQemu } from "../qemu/inspect.ts";
import { waitForExit } from "../qemu/process.ts";
import { type SshSession, connectSsh } from "../ssh/session.ts";
import type { Layout } from "../store/layout.ts";
import { uefiFirmware } from "./firmware.ts";
import type { PrepareRequest } from "./made.ts";

export interface PreparationHost {
  readonly layout: Layout;
  readonly accelerator: (signal: AbortSignal) => Promise<Accelerator>;
  readonly log: Log;
  readonly env?: NodeJS.ProcessEnv;
}

/** A machine that exists for one boot of one disk. Disposing it ends whatever still runs of it. */
export interface PreparationMachine extends AsyncDisposable {
  readonly session: SshSession;
  readonly user: string;
  /** True when QEMU has ended by itself, as it does when the guest switches off. */
  readonly whenOff: (
    timeoutMs: number,
    signal: AbortSignal,
  ) => Promise<boolean>;
}

const cpus = 2;
/** Fedora's package manager needs more than one GiB. */
const memoryMiB = 2048;
/** A stock image needs about twice the time of a prepared one. */
const stockFactor = 2;
const prefix = "prep-";

/**
 * Boots a disk with a seed of its own and answers when a command runs in it.
 * Throws `images.invalid` with a diagnosis when the guest is not reached in time, and what starting QEMU throws.
 */
export async function bootForPreparation(
  request: PrepareRequest,
  host: PreparationHost,
  directBoot: DirectBoot | undefined,
  onStage: (stage: BootStage) => void,
  signal: AbortSignal,
): Promise<PreparationMachine> {
  const { layout } = host;
  const arch = request.architecture === "arm64" ? "aarch64" : "x86_64";
  const tools = await findTools(arch, signal);
  const binary = requireTool(tools, "qemuSystem").path;
  const [qemu, accelerator, settings] = await Promise.all([
    inspectQemu(binary, signal),
    host.accelerator(signal),
    hostSettings(host.env),
  ]);
  const id = randomBytes(4).toString("hex");
  const user = request.defaultUser;
  const macAddress = newMacAddress();
  const consoleLog = join(layout.logs, `prepare-${request.name}.log`);
  const firmware = directBoot === undefined ? await firmwareOf(request) : {};
  const machine = await bootOnce(
    layout,
    {
      prefix,
      id,
      folder: request.workFolder,
      log: consoleLog,
      seed: {
        instanceId: `prepare-${id}`,
        hostname: "guesthouse-preparation",
        user,
        macAddress,
      },
      settings,
      binary,
      spec: (files, sshPort) => ({
        arch,
        qemuVersion: qemu.version,
        name: `prepare-${request.name}`,
        uuid: randomUUID(),
        accelerator: accelerator.kind,
        cpus,
        memoryMiB,
        diskPath: request.diskPath,
        seedPath: files.seed,
        ...(directBoot === undefined ? firmware : { directBoot }),
        macAddress,
        network: {
          backend: "user",
          guestAddress: "10.0.2.15",
          firstLease: "10.0.2.15",
          forwards: [{ hostPort: sshPort, guestPort: 22 }],
        },
        qmpSocket: files.qmpSocket,
        agentSocket: files.agentSocket,
        consoleSocket: files.consoleSocket,
        handoffPath: files.handoff,
        consoleLog: files.log,
        pidFile: files.pidFile,
        sandbox: qemu.sandbox,
        vmGenerationId: randomUUID(),
      }),
    },
    signal,
  );
  const { watch, gone } = machine;
  try {
    const outcome = await watchBoot(
      {
        ...watch,
        timeoutMs: bootTimeoutMs({
          accelerator: accelerator.kind,
          expectedBootSeconds: request.expectedBootSeconds * stockFactor,
        }),
      },
      onStage,
      AbortSignal.any([signal, gone]),
    ).catch((error: unknown) => {
      signal.throwIfAborted();
      if (gone.aborted) return undefined;
      throw error;
    });
    if (outcome?.kind !== "ready") {
      const { hint } = await diagnose(
        {
          ...watch,
          stage: outcome?.stage ?? "firmware",
          waitedMs: Date.now() - watch.startedAtMs,
          runState: outcome === undefined ? "shutdown" : "running",
        },
        signal,
      );
      throw notReached(request.name, hint, consoleLog);
    }
    const session = await connectSsh(
      machine.target,
      { loginTimeoutMs: 60_000 },
      signal,
    );
    return {
      session,
      user,
      whenOff: (timeoutMs, within) =>
        waitForExit(machine.launched, timeoutMs, within),
      [Symbol.asyncDispose]: async () => {
        session.close();
        await machine[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await machine[Symbol.asyncDispose]();
    throw error;
  }
}

const notReached = (name: string, hint: string, consoleLog: string): unknown =>
  failed(
    "images.invalid",
    `Image ${name} did not get ready in its preparation machine. ${hint}`,
    {
      remedy: `Its console is in ${consoleLog}; mend the image where it comes from and import it again.`,
      actions: ["retry"],
    },
  );

async function firmwareOf({
  architecture,
  firmware,
}: PrepareRequest): Promise<{ firmwarePath?: string }> {
  return firmware === "bios"
    ? {}
    : { firmwarePath: await uefiFirmware(architecture) };
}

/** A helper that was killed leaves its preparation machine running; nobody needs it any more. */
export async function endAbandonedPreparations(
  layout: Layout,
  log: Log,
): Promise<void> {
  try {
    const ended = await endAbandoned(layout, prefix);
    if (ended > 0) log.info("ended abandoned preparation machines", { ended });
  } catch (error) {
    log.warn("abandoned preparation machines can't be looked for", { error });
  }
}
