import { cpus as hostProcessors } from "node:os";
import { uefiFirmware } from "../../images/disks/firmware.ts";
import type { GoldenImage } from "../../images/golden/goldenImage.ts";
import { qemuArguments, type VmSpec } from "../../qemu/commandLine.ts";
import type { MachineFiles } from "../../store/layout.ts";
import type { MachineRecord } from "../../store/records.ts";
import type { Environment } from "./environment.ts";

/** What a machine is, as far as QEMU is told. */
export type Hardware = Pick<
  MachineRecord,
  | "name"
  | "uuid"
  | "cpus"
  | "memoryMiB"
  | "macAddress"
  | "vmGenerationId"
  | "generalized"
> &
  HasScreen;

interface HasScreen {
  readonly screen?: boolean | undefined;
}

/** Where QEMU finds and leaves its files. */
export type QemuFiles = Pick<
  MachineFiles,
  | "disk"
  | "seed"
  | "qmpSocket"
  | "agentSocket"
  | "handoff"
  | "consoleSocket"
  | "screenSocket"
  | "log"
  | "pidFile"
>;

/** Everything but the network, whose ports are chosen anew at each try. */
export async function specOf(
  hardware: Hardware,
  image: GoldenImage,
  environment: Environment,
  files: QemuFiles,
): Promise<Omit<VmSpec, "network">> {
  return {
    arch: environment.arch,
    qemuVersion: environment.qemu.version,
    name: hardware.name,
    uuid: hardware.uuid,
    accelerator: environment.accelerator.kind,
    cpus: hardware.cpus,
    memoryMiB: hardware.memoryMiB,
    diskPath: files.disk,
    seedPath: files.seed,
    ...(await bootOf(image, hardware)),
    macAddress: hardware.macAddress,
    qmpSocket: files.qmpSocket,
    agentSocket: files.agentSocket,
    handoffPath: files.handoff,
    consoleSocket: files.consoleSocket,
    ...(hardware.screen === true ? { screenSocket: files.screenSocket } : {}),
    consoleLog: files.log,
    pidFile: files.pidFile,
    sandbox: environment.qemu.sandbox,
    vmGenerationId: hardware.vmGenerationId,
  };
}

/** The kernel itself where the image has one; else firmware, which only ARM's machine lacks. */
async function bootOf(
  image: GoldenImage,
  { screen }: HasScreen,
): Promise<Pick<VmSpec, "directBoot" | "firmwarePath">> {
  if (image.directBoot)
    return {
      directBoot: {
        kernel: image.files.kernel,
        initrd: image.files.initrd,
        arguments: withScreen(image.kernelArguments ?? "", screen),
      },
    };
  return image.architecture === "arm64"
    ? { firmwarePath: await uefiFirmware(image.architecture) }
    : {};
}

/** On a screen the kernel speaks, too. The last console named is the one that services write to: the serial port's. */
const withScreen = (kernelArguments: string, screen = false): string =>
  screen ? `console=tty0 ${kernelArguments}` : kernelArguments;

const nobody = {
  name: "",
  uuid: "",
  macAddress: "",
  vmGenerationId: "",
};
const nowhere: QemuFiles = {
  disk: "",
  seed: "",
  qmpSocket: "",
  agentSocket: "",
  handoff: "",
  consoleSocket: "",
  screenSocket: "",
  log: "",
  pidFile: "",
};

/** QEMU's arguments without what differs from one machine of this hardware to another: saved states fit by these. */
export async function sharedArguments(
  hardware: Pick<Hardware, "cpus" | "memoryMiB"> & HasScreen,
  image: GoldenImage,
  environment: Environment,
): Promise<string[]> {
  return qemuArguments({
    ...(await specOf({ ...nobody, ...hardware }, image, environment, nowhere)),
    network:
      environment.network.backend === "user"
        ? { backend: "user", guestAddress: "", firstLease: "", forwards: [] }
        : { backend: "passt", socketPath: "" },
  });
}

/** The host's processor, where the guest sees it and can't be moved to another. */
export const visibleProcessor = ({ accelerator }: Environment): string =>
  accelerator.kind === "tcg" ? "" : (hostProcessors()[0]?.model ?? "");
