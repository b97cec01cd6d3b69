import type { ProcessTable } from "./processFacts.ts";

/** How this system tells about processes. The other systems' ways are not even loaded: ssh waits for our proxy. */
export async function processTable(
  platform: NodeJS.Platform = process.platform,
): Promise<ProcessTable> {
  switch (platform) {
    case "win32":
      return (await import("./processesWindows.ts")).windowsProcesses;
    case "darwin":
      return (await import("./processesMac.ts")).macProcesses;
    default:
      return (await import("./processesLinux.ts")).linuxProcesses;
  }
}
