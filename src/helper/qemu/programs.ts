import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";

/**
 * Where a program lies: in the folder that GUESTHOUSE_QEMU names (only there, for programs of QEMU), else along PATH,
 * else where its installer puts it (an editor started from a dock has a short PATH). Undefined when it is nowhere.
 */
export async function findProgram(
  name: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<string | undefined> {
  for (const folder of searchFolders(name, env)) {
    for (const suffix of suffixes(env)) {
      const path = join(folder, `${name}${suffix}`);
      if (await isExecutable(path)) return path;
    }
  }
  return undefined;
}

/** The folders that are searched, in order. Pure. */
export function searchFolders(
  name: string,
  env: NodeJS.ProcessEnv,
  platform: NodeJS.Platform = process.platform,
): string[] {
  const own = env["GUESTHOUSE_QEMU"];
  if (name.startsWith("qemu-") && own !== undefined && own !== "") return [own];
  const path = (env["PATH"] ?? env["Path"] ?? "").split(delimiter);
  return [...path.filter(isAbsolute), ...usualFolders(env, platform)];
}

function usualFolders(
  env: NodeJS.ProcessEnv,
  platform: NodeJS.Platform,
): string[] {
  switch (platform) {
    case "darwin":
      return ["/opt/homebrew/bin", "/usr/local/bin", "/opt/local/bin"];
    case "win32":
      return [
        join(env["ProgramFiles"] ?? "C:\\Program Files", "qemu"),
        join(env["SystemRoot"] ?? "C:\\Windows", "System32", "OpenSSH"),
      ];
    default:
      // Red Hat keeps its QEMU out of the PATH.
      return ["/usr/bin", "/usr/local/bin", "/usr/libexec"];
  }
}

const suffixes = (env: NodeJS.ProcessEnv): string[] =>
  process.platform === "win32"
    ? (env["PATHEXT"] ?? ".EXE").split(";").map((end) => end.toLowerCase())
    : [""];

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
