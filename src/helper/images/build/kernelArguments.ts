import type { Architecture } from "../../../protocol/images.ts";
import { rootLabel } from "./disk.ts";

/**
 * The kernel command line (Linux: Documentation/admin-guide/kernel-parameters.txt).
 *
 * - `net.ifnames=0`: the first interface is eth0 whatever the bus looks like.
 * - `8250.nr_uarts=1`: one serial port exists; every other costs a device event.
 * - `cryptomgr.notests`, `no_timer_check`: tests of the (virtual) hardware's algorithms and timers, slow under emulation.
 * - `noinit_itable`: a grown file system's inode tables read as zeros from the overlay; writing zeros there would only
 *   make it larger.
 */
export function kernelArguments(arch: Architecture): string {
  const common = [
    `root=LABEL=${rootLabel}`,
    "rootfstype=ext4",
    "rootflags=noatime,noinit_itable",
    "rw",
    "net.ifnames=0",
    "cryptomgr.notests",
  ];
  switch (arch) {
    case "amd64":
      return [
        ...common,
        "no_timer_check",
        "8250.nr_uarts=1",
        "console=ttyS0",
      ].join(" ");
    case "arm64":
      return [...common, "console=ttyAMA0"].join(" ");
  }
}
