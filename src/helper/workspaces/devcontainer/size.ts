import type { ConfigWarning } from "./review.ts";
import type { Devcontainer } from "./model.ts";

/** What a VM gets; what is absent is left to the machine's own defaults. */
export interface MachineSize {
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly diskGiB: number;
}

const mib = 1024 ** 2;
const gib = 1024 ** 3;

/**
 * The VM's size: what `customizations.guesthouse` says; else at least what `hostRequirements` asks for, and never less
 * than usual. What the host doesn't have becomes a warning, not a refusal. Pure.
 */
export function chooseSize(
  { customizations, hostRequirements: required = {} }: Devcontainer,
  usual: MachineSize,
  host: { readonly cpus: number; readonly memoryMiB: number },
): { readonly size: MachineSize; readonly warnings: readonly ConfigWarning[] } {
  const own = customizations?.guesthouse ?? {};
  const warnings: ConfigWarning[] = [];
  const capped = (
    property: string,
    wanted: number,
    most: number,
    unit: string,
  ): number => {
    if (wanted <= most) return wanted;
    warnings.push({
      property: `hostRequirements.${property}`,
      message: `The project asks for ${String(wanted)} ${unit}, and this computer has ${String(most)}: the VM gets ${String(most)}.`,
    });
    return most;
  };
  // A VM with all of the host's memory would push the host out of its own.
  const mostMiB = Math.max(usual.memoryMiB, Math.floor(host.memoryMiB * 0.75));
  return {
    size: {
      cpus:
        own.cpus ??
        Math.max(
          usual.cpus,
          capped("cpus", required.cpus ?? 0, host.cpus, "processors"),
        ),
      memoryMiB:
        own.memory === undefined
          ? Math.max(
              usual.memoryMiB,
              capped(
                "memory",
                Math.ceil(bytesOf(required.memory) / mib),
                mostMiB,
                "MiB of memory that may be given away",
              ),
            )
          : Math.ceil(bytesOf(own.memory) / mib),
      diskGiB:
        own.disk === undefined
          ? Math.max(usual.diskGiB, Math.ceil(bytesOf(required.storage) / gib))
          : Math.ceil(bytesOf(own.disk) / gib),
    },
    warnings,
  };
}

/** `8gb` → bytes. Units are the binary ones, as the reference implementation takes them; without one it is bytes. */
export function bytesOf(size: string | undefined): number {
  const [, digits, unit] = /^(\d+)([tgmk])?b?$/i.exec(size ?? "0") ?? [];
  const power = ["", "k", "m", "g", "t"].indexOf((unit ?? "").toLowerCase());
  return Number(digits ?? 0) * 1024 ** Math.max(0, power);
}
