import type { WindowsEdition } from "../iso/wim.ts";

/** Builds that the driver CD has a folder of its own for, the newest first. Source: virtio-win's layout. */
const clients = [
  [22000, "w11"],
  [10240, "w10"],
] as const;
const servers = [
  [26100, "2k25"],
  [20348, "2k22"],
  [17763, "2k19"],
  [14393, "2k16"],
] as const;

/** Drivers of an older Windows do where there are none of its own. Pure. */
export function driverSystems({
  version = "",
  installationType,
}: Pick<WindowsEdition, "version" | "installationType">): string[] {
  const build = Number(version.split(".")[2] ?? 0);
  const systems =
    installationType?.startsWith("Server") === true ? servers : clients;
  const fitting = systems.filter(([from]) => build === 0 || build >= from);
  return (fitting.length === 0 ? systems : fitting).map(([, folder]) => folder);
}

const words = (
  systems: readonly (readonly [number, string])[],
): readonly string[] =>
  systems.map(([from, folder]) => `${String(from)} ${folder}`);

/** The same for a Windows that has to find out itself what it is: `22000 w11`. */
export const driverBuilds = {
  Client: words(clients),
  Server: words(servers),
} as const;
