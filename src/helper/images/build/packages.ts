import type { Architecture } from "../../../protocol/images.ts";
import { stanzas } from "./aptSources.ts";

/** The package that brings the generic kernel. */
export const kernelPackage = (arch: Architecture): string =>
  `linux-image-${arch}`;

/** Reads `packages.txt`: one name a line, `#` comments, `%KERNEL%` for the kernel's package. */
export function readPackageList(text: string, arch: Architecture): string[] {
  return text
    .split("\n")
    .map((line) => line.replace(/#.*/, "").trim())
    .filter((line) => line !== "")
    .map((line) => line.replace("%KERNEL%", kernelPackage(arch)));
}

export interface InstalledPackage {
  readonly name: string;
  readonly version: string;
}

/** The installed packages by dpkg's status file (`/var/lib/dpkg/status`), sorted by name. */
export function installedPackages(status: string): InstalledPackage[] {
  return stanzas(status)
    .filter(
      (fields) =>
        fields.get("status") === "install ok installed" ||
        fields.get("status") === "hold ok installed",
    )
    .map((fields) => ({
      name: fields.get("package") ?? "",
      version: fields.get("version") ?? "",
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
