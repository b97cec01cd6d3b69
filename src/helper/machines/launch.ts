import type { Log } from "../../base/log.ts";
import { failed, GuesthouseError } from "../../protocol/failure.ts";
import type { Forward } from "../../protocol/machines.ts";
import { uefiFirmware } from "../images/firmware.ts";
import type { GoldenImage } from "../images/images.ts";
import { freePorts } from "../networks/ports.ts";
import {
  qemuArguments,
  type VmNetwork,
  type VmSpec,
} from "../qemu/commandLine.ts";
import { launchQemu } from "../qemu/process.ts";
import type { Layout } from "../store/layout.ts";
import type { MachineHandles, MachineRecord } from "../store/records.ts";
import { writeHandles } from "../store/records.ts";
import { beginBoot } from "./bootLog.ts";
import type { Environment } from "./environment.ts";
import { removeLeftovers } from "./leftovers.ts";
import type { Live } from "./entry.ts";

export interface LaunchDeps {
  readonly layout: Layout;
  readonly log: Log;
}

const sshGuestPort = 22;

/** Between asking for a free port and QEMU's taking it somebody else may: then others are tried. */
const portTries = 4;

/**
 * Starts QEMU for a machine and answers once its monitor does. Nothing stays behind when it fails:
 * `machines.startFailed` with QEMU's own words, `machines.portTaken` when a wanted port is in use.
 */
export async function launchMachine(
  record: MachineRecord,
  image: GoldenImage,
  environment: Environment,
  deps: LaunchDeps,
  signal?: AbortSignal,
): Promise<Live> {
  const files = deps.layout.machine(record.id);
  await removeLeftovers(files);
  const { accelerator } = environment;
  const logOffset = await beginBoot(
    files.log,
    `${record.name} · boot ${new Date().toISOString()} · ${image.name} · ${String(record.cpus)} CPU · ${String(record.memoryMiB)} MiB · ${accelerator.kind}`,
  );
  for (let tryNumber = 1; ; tryNumber++) {
    const { sshPort, forwards } = await choosePorts(record);
    const startedAtMs = Date.now();
    const network: VmNetwork = {
      backend: "user",
      forwards: [{ hostPort: sshPort, guestPort: sshGuestPort }, ...forwards],
    };
    try {
      const { qmp, pid, startTime } = await launchQemu(
        {
          binary: environment.binary,
          args: qemuArguments({
            arch: environment.arch,
            qemuVersion: environment.qemu.version,
            name: record.name,
            uuid: record.uuid,
            accelerator: accelerator.kind,
            cpus: record.cpus,
            memoryMiB: record.memoryMiB,
            diskPath: files.disk,
            seedPath: files.seed,
            ...(await bootOf(image)),
            macAddress: record.macAddress,
            network,
            qmpSocket: files.qmpSocket,
            agentSocket: files.agentSocket,
            consoleSocket: files.consoleSocket,
            consoleLog: files.log,
            pidFile: files.pidFile,
            sandbox: environment.qemu.sandbox,
            vmGenerationId: record.vmGenerationId,
          }),
          logPath: files.qemuLog,
          cwd: files.folder,
          qmpSocket: files.qmpSocket,
        },
        signal,
      );
      const handles: MachineHandles = {
        pid,
        startTime,
        startedAtMs,
        accelerator: accelerator.kind,
        acceleratorReason: accelerator.reason,
        sshPort,
        forwards,
        network: { backend: "user", hostLoopbackReachable: true },
        logOffset,
        boot: [{ stage: "firmware", atMs: 0 }],
      };
      await writeHandles(files, handles);
      deps.log.info("QEMU started", { machine: record.id, pid, sshPort });
      return {
        handles,
        qmp,
        stopReason: undefined,
        watch: new AbortController(),
        shutdownCause: undefined,
      };
    } catch (error) {
      await removeLeftovers(files);
      if (!isPortTaken(error)) throw error;
      const wanted = record.forwards.filter(({ hostPort }) => hostPort !== 0);
      if (wanted.length > 0) throw portTaken(wanted, error);
      if (tryNumber === portTries) throw error;
    }
  }
}

/** The kernel itself where the image has one; else firmware, which only ARM's machine lacks. */
async function bootOf(
  image: GoldenImage,
): Promise<Pick<VmSpec, "directBoot" | "firmwarePath">> {
  if (image.directBoot)
    return {
      directBoot: {
        kernel: image.files.kernel,
        initrd: image.files.initrd,
        arguments: image.kernelArguments ?? "",
      },
    };
  return image.architecture === "arm64"
    ? { firmwarePath: await uefiFirmware(image.architecture) }
    : {};
}

async function choosePorts(
  record: MachineRecord,
): Promise<{ sshPort: number; forwards: Forward[] }> {
  const open = record.forwards.filter(({ hostPort }) => hostPort === 0);
  const [sshPort = 0, ...rest] = await freePorts(1 + open.length);
  const forwards = record.forwards.map((forward) =>
    forward.hostPort === 0
      ? { ...forward, hostPort: rest.shift() ?? 0 }
      : forward,
  );
  return { sshPort, forwards };
}

const isPortTaken = (error: unknown): boolean =>
  error instanceof GuesthouseError &&
  error.failure.code === "machines.portTaken";

const portTaken = (
  wanted: readonly Forward[],
  cause: unknown,
): GuesthouseError =>
  failed(
    "machines.portTaken",
    `A port of this host that the machine forwards is in use: ${wanted.map(({ hostPort }) => String(hostPort)).join(" or ")}.`,
    {
      remedy:
        "End the program that listens there, or give the machine another port.",
      actions: ["retry"],
      cause,
    },
  );
