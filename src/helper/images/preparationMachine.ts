import { randomBytes, randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { makePrivateFolder } from "../../base/files.ts";
import type { Log } from "../../base/log.ts";
import { failed } from "../../protocol/failure.ts";
import type { Accelerator } from "../../protocol/host.ts";
import type { BootStage } from "../../protocol/machines.ts";
import { diagnose } from "../guests/diagnosis.ts";
import { makeHandoffFifos } from "../guests/handoffPort.ts";
import { hostSettings } from "../guests/hostSettings.ts";
import { watchBoot } from "../guests/readiness.ts";
import { writeSeed } from "../guests/seed.ts";
import { bootTimeoutMs } from "../guests/timeouts.ts";
import { findTools, requireTool } from "../host/tools.ts";
import { freePorts } from "../networks/ports.ts";
import { type DirectBoot, qemuArguments } from "../qemu/commandLine.ts";
import { inspectQemu } from "../qemu/inspect.ts";
import {
  type LaunchedQemu,
  endProcess,
  findQemu,
  launchQemu,
  waitForExit,
} from "../qemu/process.ts";
import { generateHostKey } from "../ssh/keys.ts";
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
const socketPrefix = "prep-";

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
  const [port = 0] = await freePorts(1);
  const id = randomBytes(4).toString("hex");
  const socket = (kind: string): string =>
    join(layout.run, `${socketPrefix}${id}.${kind}`);
  const sockets = {
    qmpSocket: socket("qmp"),
    agentSocket: socket("agent"),
    consoleSocket: socket("console"),
  };
  const handoffPath = join(request.workFolder, "handoff");
  const consoleLog = join(layout.logs, `prepare-${request.name}.log`);
  const seedPath = join(request.workFolder, "seed.iso");
  const [userKey, hostKey] = [generateHostKey(), generateHostKey()];
  const user = request.defaultUser;
  const macAddress = `52:54:00:${[...randomBytes(3)].map((byte) => byte.toString(16).padStart(2, "0")).join(":")}`;
  for (const folder of [layout.run, layout.logs])
    await makePrivateFolder(folder);
  await rm(consoleLog, { force: true });
  await makeHandoffFifos(handoffPath);
  await writeSeed(seedPath, {
    instanceId: `prepare-${id}`,
    hostname: "guesthouse-preparation",
    user,
    authorizedKeys: [userKey.publicKey],
    hostKey,
    macAddress,
    network: { kind: "dhcp" },
    ...(settings.proxy === undefined ? {} : { proxy: settings.proxy }),
    caCertificates: settings.caCertificates,
  });

  const startedAtMs = Date.now();
  const launched = await launchQemu(
    {
      binary,
      args: qemuArguments({
        arch,
        qemuVersion: qemu.version,
        name: `prepare-${request.name}`,
        uuid: randomUUID(),
        accelerator: accelerator.kind,
        cpus,
        memoryMiB,
        diskPath: request.diskPath,
        seedPath,
        ...(directBoot === undefined
          ? await firmwareOf(request)
          : { directBoot }),
        macAddress,
        network: {
          backend: "user",
          guestAddress: "10.0.2.15",
          firstLease: "10.0.2.15",
          forwards: [{ hostPort: port, guestPort: 22 }],
        },
        ...sockets,
        handoffPath,
        consoleLog,
        pidFile: join(request.workFolder, "qemu.pid"),
        sandbox: qemu.sandbox,
        vmGenerationId: randomUUID(),
      }),
      logPath: join(request.workFolder, "qemu.log"),
      cwd: request.workFolder,
      qmpSocket: sockets.qmpSocket,
    },
    signal,
  );
  const target = {
    host: "127.0.0.1",
    port,
    user,
    privateKey: userKey.privateKey,
    hostKey: hostKey.publicKey,
  };
  const dispose = async (): Promise<void> => {
    await endQemu(launched);
    for (const path of Object.values(sockets)) await rm(path, { force: true });
    for (const path of [seedPath, `${handoffPath}.in`, `${handoffPath}.out`])
      await rm(path, { force: true });
  };
  const gone = new AbortController();
  void launched.qmp.closed.then(() => gone.abort());
  try {
    const watched = {
      ...target,
      logPath: consoleLog,
      logOffset: 0,
      agentSocket: sockets.agentSocket,
    };
    const outcome = await watchBoot(
      {
        ...watched,
        startedAtMs,
        timeoutMs: bootTimeoutMs({
          accelerator: accelerator.kind,
          expectedBootSeconds: request.expectedBootSeconds * stockFactor,
        }),
      },
      onStage,
      AbortSignal.any([signal, gone.signal]),
    ).catch((error: unknown) => {
      signal.throwIfAborted();
      if (gone.signal.aborted) return undefined;
      throw error;
    });
    if (outcome?.kind !== "ready") {
      const { hint } = await diagnose(
        {
          ...watched,
          stage: outcome?.stage ?? "firmware",
          waitedMs: Date.now() - startedAtMs,
          runState: outcome === undefined ? "shutdown" : "running",
        },
        signal,
      );
      throw notReached(request.name, hint, consoleLog);
    }
    const session = await connectSsh(
      target,
      { loginTimeoutMs: 60_000 },
      signal,
    );
    return {
      session,
      user,
      whenOff: (timeoutMs, within) => waitForExit(launched, timeoutMs, within),
      [Symbol.asyncDispose]: async () => {
        session.close();
        await dispose();
      },
    };
  } catch (error) {
    await dispose();
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

async function endQemu(launched: LaunchedQemu): Promise<void> {
  launched.qmp.close();
  if (await endProcess(launched, "SIGKILL"))
    await waitForExit(launched, 10_000);
}

/** A helper that was killed leaves its preparation machine running; nobody needs it any more. */
export async function endAbandonedPreparations(
  layout: Layout,
  log: Log,
): Promise<void> {
  try {
    // As QEMU's arguments name it: no other program has it so.
    const marker = `path=${join(layout.run, socketPrefix)}`;
    for (const found of await findQemu(marker)) {
      log.info("ending an abandoned preparation machine", { pid: found.pid });
      if (await endProcess(found, "SIGKILL")) await waitForExit(found, 10_000);
    }
  } catch (error) {
    log.warn("abandoned preparation machines can't be looked for", { error });
  }
}
