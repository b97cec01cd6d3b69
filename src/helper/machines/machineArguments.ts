import { constants } from "node:fs";
import { chmod, copyFile } from "node:fs/promises";
import { hasErrorCode, isMissing } from "../../base/files.ts";
import type { GuestSystem } from "../../protocol/images.ts";
import { makeHandoffFifos } from "../guests/handoffPort.ts";
import { secureBootFirmware } from "../images/firmware.ts";
import type { GoldenImage } from "../images/goldenImage.ts";
import { qemuArguments, type VmSpec } from "../qemu/commandLine.ts";
import { removeSwtpm, startSwtpm, swtpmProgram } from "../qemu/swtpm.ts";
import {
  windowsQemuArguments,
  type WindowsVmSpec,
} from "../qemu/windowsCommandLine.ts";
import type { MachineFiles } from "../store/layout.ts";
import type { Environment } from "./environment.ts";
import { type Hardware, specOf } from "./spec.ts";

/** What is known of a start only when it comes. */
export type StartSpec = Pick<
  VmSpec,
  "network" | "memoryFile" | "incoming" | "machineType"
>;

/** A machine that is ready to be started. */
export interface Prepared {
  readonly arguments: (start: StartSpec) => string[];
  /** Starts what QEMU needs beside its network; ends with QEMU. */
  readonly begin: (signal?: AbortSignal) => Promise<void>;
  /** Ends that where QEMU did not come. */
  readonly abandon: () => Promise<void>;
}

type Prepare = (
  hardware: Hardware,
  image: GoldenImage,
  environment: Environment,
  files: MachineFiles,
) => Promise<Prepared>;

const nothing = (): Promise<void> => Promise.resolve();

/** Makes what QEMU finds in a machine's folder, by what runs in the machine. */
export const prepareMachine: Readonly<Record<GuestSystem, Prepare>> = {
  linux: async (hardware, image, environment, files) => {
    const [spec] = await Promise.all([
      specOf(hardware, image, environment, files),
      makeHandoffFifos(files.handoff),
    ]);
    return {
      arguments: (start) => qemuArguments({ ...spec, ...start }),
      begin: nothing,
      abandon: nothing,
    };
  },

  windows: async (hardware, image, environment, files) => {
    const [firmware, swtpm] = await Promise.all([
      secureBootFirmware(),
      swtpmProgram(),
    ]);
    await copyOnce(
      [image.files.variables, firmware.variablesPath],
      files.variables,
    );
    const spec: Omit<WindowsVmSpec, "network"> = {
      ...commonOf(hardware, environment, files),
      firmware: {
        codePath: firmware.codePath,
        variablesPath: files.variables,
      },
      ...(swtpm === undefined ? {} : { tpmSocket: files.tpm.socketPath }),
      cds: {},
      // The one that Windows itself has a driver for, whatever the image was prepared with.
      networkCard: "e1000e",
      screenSocket: files.screenSocket,
    };
    return {
      arguments: (start) => windowsQemuArguments({ ...spec, ...start }),
      begin: async (signal) => {
        if (swtpm !== undefined) await startSwtpm(swtpm, files.tpm, signal);
      },
      abandon: () => removeSwtpm(files.tpm),
    };
  },
};

const commonOf = (
  hardware: Hardware,
  { qemu, accelerator }: Environment,
  files: MachineFiles,
) => ({
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
});

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
