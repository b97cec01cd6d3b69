import { constants } from "node:fs";
import { chmod, copyFile, stat } from "node:fs/promises";
import { hasErrorCode, isMissing } from "../../../base/files.ts";
import {
  type SecureBootFirmware,
  secureBootFirmware,
} from "../../images/disks/firmware.ts";
import type { GoldenImage } from "../../images/golden/goldenImage.ts";
import { removeSwtpm, startSwtpm, swtpmProgram } from "../../qemu/swtpm.ts";
import {
  type WindowsVmSpec,
  windowsQemuArguments,
} from "../../qemu/windowsCommandLine.ts";
import type { MachineFiles } from "../../store/layout.ts";
import type { Environment } from "./environment.ts";
import type { Prepared } from "./prepared.ts";
import type { Hardware } from "./spec.ts";

/** Where QEMU and swtpm find and leave their files. */
export type WindowsFiles = Pick<
  MachineFiles,
  | "disk"
  | "variables"
  | "seed"
  | "tpm"
  | "qmpSocket"
  | "agentSocket"
  | "consoleSocket"
  | "screenSocket"
  | "log"
  | "pidFile"
>;

/** Makes what QEMU finds in the folder of a machine with Windows, unless it is there: firmware variables, a TPM's state. */
export async function prepareWindows(
  hardware: Hardware,
  image: GoldenImage,
  environment: Environment,
  files: WindowsFiles,
): Promise<Prepared> {
  const [firmware, swtpm] = await Promise.all([
    secureBootFirmware(),
    swtpmProgram(),
  ]);
  await copyOnce(
    [image.files.variables, firmware.variablesPath],
    files.variables,
  );
  const spec = specOf(hardware, environment, { files, firmware, swtpm });
  return {
    arguments: (start) => windowsQemuArguments({ ...spec, ...start }),
    begin: async (signal) => {
      if (swtpm !== undefined) await startSwtpm(swtpm, files.tpm, signal);
    },
    abandon: () => removeSwtpm(files.tpm),
  };
}

/** What a start of Windows stands on, on this host. */
interface Found {
  readonly files: WindowsFiles;
  readonly firmware: SecureBootFirmware;
  readonly swtpm: string | undefined;
}

const specOf = (
  hardware: Hardware,
  { qemu, accelerator }: Environment,
  { files, firmware, swtpm }: Found,
): Omit<WindowsVmSpec, "network"> => ({
  qemuVersion: qemu.version,
  name: hardware.name,
  uuid: hardware.uuid,
  accelerator: accelerator.kind,
  cpus: hardware.cpus,
  memoryMiB: hardware.memoryMiB,
  diskPath: files.disk,
  macAddress: hardware.macAddress,
  qmpSocket: files.qmpSocket,
  agentSocket: files.agentSocket,
  consoleSocket: files.consoleSocket,
  consoleLog: files.log,
  pidFile: files.pidFile,
  sandbox: qemu.sandbox,
  vmGenerationId: hardware.vmGenerationId,
  firmware: {
    codePath: firmware.codePath,
    variablesPath: files.variables,
  },
  ...(swtpm === undefined ? {} : { tpmSocket: files.tpm.socketPath }),
  // From the first start on, and with every start: saved states fit by it.
  cds: hardware.generalized === true ? { answers: files.seed } : {},
  // The one that Windows itself has a driver for, whatever the image was prepared with.
  networkCard: "e1000e",
  screenSocket: files.screenSocket,
});

const nowhere: WindowsFiles = {
  disk: "",
  variables: "",
  seed: "",
  tpm: { stateFolder: "", socketPath: "", pidFile: "", logPath: "" },
  qmpSocket: "",
  agentSocket: "",
  consoleSocket: "",
  screenSocket: "",
  log: "",
  pidFile: "",
};
const nobody = { name: "", uuid: "", macAddress: "", vmGenerationId: "" };

/** As `sharedArguments`: what saved states of such machines fit by. The firmware's code is part of them. */
export async function windowsSharedArguments(
  hardware: Pick<Hardware, "cpus" | "memoryMiB">,
  environment: Environment,
): Promise<string[]> {
  const firmware = await secureBootFirmware();
  const code = await stat(firmware.codePath);
  const { cpus, memoryMiB } = hardware;
  return [
    `${firmware.codePath}:${String(code.mtimeMs)}:${String(code.size)}`,
    ...windowsQemuArguments({
      ...specOf({ ...nobody, cpus, memoryMiB }, environment, {
        files: nowhere,
        firmware,
        swtpm: await swtpmProgram(),
      }),
      network:
        environment.network.backend === "user"
          ? { backend: "user", guestAddress: "", firstLease: "", forwards: [] }
          : { backend: "passt", socketPath: "" },
    }),
  ];
}

/** The first of the sources that is there, unless the target is: what is in that belongs to the machine. */
async function copyOnce(
  sources: readonly string[],
  target: string,
): Promise<void> {
  for (const [index, source] of sources.entries())
    try {
      const { COPYFILE_EXCL, COPYFILE_FICLONE } = constants;
      await copyFile(source, target, COPYFILE_EXCL | COPYFILE_FICLONE);
      // The image's own may only be read.
      await chmod(target, 0o600);
      return;
    } catch (error) {
      if (hasErrorCode(error, "EEXIST")) return;
      if (!isMissing(error) || index === sources.length - 1) throw error;
    }
}
