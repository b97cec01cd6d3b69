import type { ProcessTable } from "./facts.ts";

/** How this system tells about processes. The other systems' ways are not even loaded: ssh waits for our proxy. */
export async function processTable(
  platform: NodeJS.Platform = process.platform,
): Promise<ProcessTable> {
  switch (platform) {
    case "win32":
      return (await import("./windows.ts")).windowsProcesses;
    case "darwin":
      return (await import("./mac.ts")).macProcesses;
    default:
      return (await import("./linux.ts")).linuxProcesses;
  }
}
