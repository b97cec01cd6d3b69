import type { GuestSystem } from "../../protocol/images.ts";
import { makeHandoffFifos } from "../guests/handoffPort.ts";
import type { GoldenImage } from "../images/goldenImage.ts";
import { qemuArguments } from "../qemu/commandLine.ts";
import type { MachineFiles } from "../store/layout.ts";
import type { Environment } from "./environment.ts";
import type { Prepared } from "./prepared.ts";
import { type Hardware, specOf } from "./spec.ts";
import { prepareWindows } from "./windowsArguments.ts";

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
  windows: prepareWindows,
};
