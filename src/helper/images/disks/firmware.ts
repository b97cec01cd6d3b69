import { access } from "node:fs/promises";
import { failed } from "../../../protocol/failure.ts";
import type { Architecture } from "../../../protocol/images.ts";

/** Where distributions and Homebrew put firmware that `-bios` takes, code and variables in one file. */
const places: Readonly<Record<Architecture, readonly string[]>> = {
  amd64: [
    "/usr/share/ovmf/OVMF.fd",
    "/usr/share/edk2/ovmf/OVMF.fd",
    "/usr/share/edk2/x64/OVMF.4m.fd",
    "/usr/share/qemu/ovmf-x86_64.bin",
  ],
  arm64: [
    "/usr/share/qemu-efi-aarch64/QEMU_EFI.fd",
    "/usr/share/edk2/aarch64/QEMU_EFI.fd",
    "/usr/share/edk2/aarch64/QEMU_EFI.silent.fd",
    "/usr/share/qemu/aavmf-aarch64-code.bin",
    "/opt/homebrew/share/qemu/edk2-aarch64-code.fd",
    "/usr/local/share/qemu/edk2-aarch64-code.fd",
    "C:\\Program Files\\qemu\\share\\edk2-aarch64-code.fd",
  ],
};

/** UEFI for Secure Boot: code that guards its variables, and variables with Microsoft's keys in them. Both raw. */
export interface SecureBootFirmware {
  readonly codePath: string;
  /** To be copied for each machine. */
  readonly variablesPath: string;
}

const secureBootPlaces: readonly SecureBootFirmware[] = (
  [
    [
      "/usr/share/OVMF/OVMF_CODE_4M.ms.fd",
      "/usr/share/OVMF/OVMF_VARS_4M.ms.fd",
    ],
    [
      "/usr/share/edk2/ovmf/OVMF_CODE.secboot.fd",
      "/usr/share/edk2/ovmf/OVMF_VARS.secboot.fd",
    ],
    [
      "/usr/share/qemu/ovmf-x86_64-smm-ms-code.bin",
      "/usr/share/qemu/ovmf-x86_64-smm-ms-vars.bin",
    ],
  ] as const
).map(([codePath, variablesPath]) => ({ codePath, variablesPath }));

/** Throws `host.toolMissing` with the package that has it. */
export async function secureBootFirmware(): Promise<SecureBootFirmware> {
  for (const firmware of secureBootPlaces)
    if (
      (await isThere(firmware.codePath)) &&
      (await isThere(firmware.variablesPath))
    )
      return firmware;
  throw failed(
    "host.toolMissing",
    "Windows needs UEFI firmware for Secure Boot, and none was found.",
    {
      remedy:
        "Install it (Debian, Ubuntu: sudo apt install ovmf; Fedora: sudo dnf install edk2-ovmf).",
      actions: ["doctor"],
    },
  );
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Path of UEFI firmware for a guest; `host.toolMissing` with the package that has it. */
export async function uefiFirmware(
  architecture: Architecture,
): Promise<string> {
  for (const path of places[architecture]) if (await isThere(path)) return path;
  const debian = architecture === "arm64" ? "qemu-efi-aarch64" : "ovmf";
  throw failed(
    "host.toolMissing",
    `The image boots by UEFI, but no UEFI firmware for ${architecture} guests was found.`,
    {
      remedy: `Install it (Debian, Ubuntu: sudo apt install ${debian}; Fedora: sudo dnf install ${architecture === "arm64" ? "edk2-aarch64" : "edk2-ovmf"}).`,
      actions: ["doctor"],
    },
  );
}
