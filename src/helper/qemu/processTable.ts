import type { ProcessTable } from "./processFacts.ts";
import { linuxProcesses } from "./processesLinux.ts";
import { macProcesses } from "./processesMac.ts";
import { windowsProcesses } from "./processesWindows.ts";

/** How this system tells about processes. */
export function processTable(
  platform: NodeJS.Platform = process.platform,
): ProcessTable {
  switch (platform) {
    case "win32":
      return windowsProcesses;
    case "darwin":
      return macProcesses;
    default:
      return linuxProcesses;
  }
}
