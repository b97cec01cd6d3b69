import { join } from "node:path";
import type { WindowsVmSpec } from "../../src/helper/qemu/windowsCommandLine.ts";
import { qemuSpec } from "./qemuSpec.ts";

/** A machine on which Windows is about to be installed, with its files in `folder`. */
export const windowsSpec = (
  folder: string,
  changes: Partial<WindowsVmSpec> = {},
): WindowsVmSpec => ({
  ...qemuSpec(folder),
  firmware: {
    codePath: "/usr/share/OVMF/OVMF_CODE_4M.ms.fd",
    variablesPath: join(folder, "variables.fd"),
  },
  cds: {
    installer: { path: join(folder, "installer.qcow2"), format: "qcow2" },
    answers: join(folder, "answers.iso"),
    drivers: join(folder, "drivers.iso"),
  },
  networkCard: "e1000e",
  screenSocket: join(folder, "vnc"),
  ...changes,
});
