import { join } from "node:path";

/**
 * How one of QEMU's programs is called: by name through PATH, or inside the folder that GUESTHOUSE_QEMU names.
 * Pure.
 */
export function programPath(
  name: string,
  env: NodeJS.ProcessEnv = process.env,
): string {
  const folder = env["GUESTHOUSE_QEMU"];
  return folder === undefined || folder === "" ? name : join(folder, name);
}
