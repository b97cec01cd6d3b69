import { randomBytes, randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Log } from "../../../base/log.ts";
import { failed } from "../../../protocol/failure.ts";
import type { Accelerator } from "../../../protocol/host.ts";
import type { BootStage } from "../../../protocol/machines.ts";
import { diagnose } from "../../guests/diagnosis/diagnosis.ts";
import { hostSettings } from "../../guests/seed/hostSettings.ts";
import {
  type OneBoot,
  bootOnce,
  endAbandoned,
} from "../../guests/boot/oneBoot.ts";
import { watchBoot } from "../../guests/boot/readiness.ts";
import { bootTimeoutMs } from "../../guests/boot/timeouts.ts";
import { findTools, requireTool } from "../../host/tools.ts";
import { newMacAddress } from "../../networks/macAddress.ts";
import type { DirectBoot } from "../../qemu/commandLine.ts";
import { inspectQemu } from "../../qemu/inspect.ts";
import { waitForExit } from "../../qemu/process.ts";
import { type SshSession, connectSsh } from "../../ssh/session.ts";
import type { Layout } from "../../store/layout.ts";
import { uefiFirmware } from "../disks/firmware.ts";
import type { PrepareRequest } from "../golden/made.ts";

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

/** A disk to start once, by its boot loader or directly by files of its own. */
export interface PreparationBoot extends PrepareRequest {
  readonly directBoot?: DirectBoot;
}

/**
 * Boots a disk with a seed of its own and answers when a command runs in it.
 * Throws `images.invalid` with a diagnosis when the guest is not reached in time, and what starting QEMU throws.
 */
export async function bootForPreparation(
  request: PreparationBoot,
  host: PreparationHost,
  onStage: (stage: BootStage) => void,
  signal: AbortSignal,
): Promise<PreparationMachine> {
  const { machine, accelerator } = await start(request, host, signal);
  try {
    await untilReady(
      machine,
      {
        name: request.name,
        consoleLog: consoleLogOf(host.layout, request),
        timeoutMs: bootTimeoutMs({
          accelerator,
          expectedBootSeconds: request.expectedBootSeconds * stockFactor,
        }),
      },
      onStage,
      signal,
    );
    const session = await connectSsh(
      machine.target,
      { loginTimeoutMs: 60_000 },
      signal,
    );
    return {
      session,
      user: request.defaultUser,
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

const consoleLogOf = (layout: Layout, { name }: PrepareRequest): string =>
  join(layout.logs, `prepare-${name}.log`);

async function start(
  request: PreparationBoot,
  host: PreparationHost,
  signal: AbortSignal,
): Promise<{ machine: OneBoot; accelerator: Accelerator["kind"] }> {
  const { layout } = host;
  const { directBoot, defaultUser: user } = request;
  const arch = request.architecture === "arm64" ? "aarch64" : "x86_64";
  const tools = await findTools(arch, signal);
  const binary = requireTool(tools, "qemuSystem").path;
  const [qemu, { kind: accelerator }, settings] = await Promise.all([
    inspectQemu(binary, signal),
    host.accelerator(signal),
    hostSettings(host.env),
  ]);
  const id = randomBytes(4).toString("hex");
  const macAddress = newMacAddress();
  const boots =
    directBoot === undefined ? await firmwareOf(request) : { directBoot };
  const machine = await bootOnce(
    layout,
    {
      prefix,
      id,
      folder: request.workFolder,
      log: consoleLogOf(layout, request),
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
        accelerator,
        cpus,
        memoryMiB,
        diskPath: request.diskPath,
        seedPath: files.seed,
        ...boots,
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
  return { machine, accelerator };
}

interface Waiting {
  readonly name: string;
  readonly consoleLog: string;
  readonly timeoutMs: number;
}

async function untilReady(
  { watch, gone }: Pick<OneBoot, "watch" | "gone">,
  { name, consoleLog, timeoutMs }: Waiting,
  onStage: (stage: BootStage) => void,
  signal: AbortSignal,
): Promise<void> {
  const outcome = await watchBoot(
    { ...watch, timeoutMs },
    onStage,
    AbortSignal.any([signal, gone]),
  ).catch((error: unknown) => {
    signal.throwIfAborted();
    if (gone.aborted) return undefined;
    throw error;
  });
  if (outcome?.kind === "ready") return;
  const { hint } = await diagnose(
    {
      ...watch,
      stage: outcome?.stage ?? "firmware",
      waitedMs: Date.now() - watch.startedAtMs,
      runState: outcome === undefined ? "shutdown" : "running",
    },
    signal,
  );
  throw notReached(name, hint, consoleLog);
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
