import type { ImageCheck } from "../../../protocol/images.ts";
import type { ImageFacts } from "./facts.ts";
import { check, error, ok, warning } from "./verdict.ts";

type Mount = ImageFacts["fstab"][number];

/**
 * Compares fstab with the devices that a machine has and with the units that are masked (B28): systemd waits 90 s for
 * a device that never comes, and then drops to an emergency shell.
 */
export function fstabChecks({ fstab, maskedUnits }: ImageFacts): ImageCheck[] {
  const absent = fstab.filter(({ device }) => isAbsentDevice(device));
  const stalling = absent.filter((mount) => !isOptional(mount));
  const masked = fstab.filter(({ mount }) =>
    maskedUnits.includes(mountUnit(mount)),
  );
  return [
    check(
      "fstab.devices",
      "Disks in fstab",
      stalling.length > 0
        ? error(
            `fstab waits for ${stalling.map(inWords).join(", ")}, which a machine doesn't have: each boot would stall for 90 s and fail.`,
            "Remove the line, or add the option nofail, and import the image again.",
          )
        : absent.length > 0
          ? warning(
              `fstab names ${absent.map(inWords).join(", ")}, which a machine doesn't have; boots go on without.`,
              "Remove the line if nobody needs it.",
            )
          : ok(
              fstab.length === 0
                ? "fstab is empty."
                : `${fstab.map(inWords).join(", ")}.`,
            ),
    ),
    ...(masked.length === 0
      ? []
      : [
          check(
            "fstab.masked",
            "Masked mounts",
            warning(
              `${masked.map(({ mount }) => mountUnit(mount)).join(", ")} is masked, so fstab's ${masked.map(({ mount }) => mount).join(", ")} is never mounted.`,
              "Unmask the unit or remove the line.",
            ),
          ),
        ]),
  ];
}

/**
 * A machine has one virtio disk (`vda`) and the seed. Names that follow the content (UUID=, LABEL=) can't be judged from
 * fstab alone and are taken to be on the image's own disk.
 */
function isAbsentDevice(device: string): boolean {
  return (
    /^\/dev\/(sd|hd|xvd|nvme|mmcblk|vd[b-z]|sr|fd|cdrom)/.test(device) ||
    /^\/\/|^[\w.-]+:\//.test(device)
  );
}

const isOptional = ({ options }: Mount): boolean =>
  options
    .split(",")
    .some((option) => option === "nofail" || option === "noauto");

const inWords = ({ device, mount }: Mount): string => `${device} on ${mount}`;

/** systemd.mount(5): `/var/lib/x` is `var-lib-x.mount`; other characters are escaped. */
export function mountUnit(path: string): string {
  const inner = path.replace(/^\/+|\/+$/g, "");
  if (inner === "") return "-.mount";
  const escaped = [...Buffer.from(inner)].map((byte, index) => {
    const char = String.fromCharCode(byte);
    if (char === "/") return "-";
    return /[A-Za-z0-9:_]/.test(char) || (char === "." && index > 0)
      ? char
      : `\\x${byte.toString(16).padStart(2, "0")}`;
  });
  return `${escaped.join("")}.mount`;
}
