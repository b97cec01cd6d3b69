import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";
import { readVariable } from "../../base/environmentVariables.ts";

/*
 * The one place that knows where programs of this host are. Whoever runs one asks here: an editor started from a dock has a
 * short PATH, and an ordinary user's lacks the folders of system programs. No folder that depends on where we stand is
 * ever searched.
 */

/**
 * Where a program lies: in the folder that GUESTHOUSE_QEMU names (only there, for programs of QEMU), else along PATH,
 * else where its installer puts it. Undefined when it is nowhere.
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
  const own = qemuFolder(env);
  return name.startsWith("qemu-") && own !== undefined
    ? [own]
    : allFolders(env, platform);
}

/** A PATH by which a program's own children find what `findProgram` finds. Pure. */
export const programPath = (
  env: NodeJS.ProcessEnv,
  platform: NodeJS.Platform = process.platform,
): string =>
  [qemuFolder(env) ?? [], allFolders(env, platform)].flat().join(delimiter);

const qemuFolder = (env: NodeJS.ProcessEnv): string | undefined =>
  readVariable("GUESTHOUSE_QEMU", env) || undefined;

function allFolders(
  env: NodeJS.ProcessEnv,
  platform: NodeJS.Platform,
): string[] {
  const path = (env["PATH"] ?? env["Path"] ?? "").split(delimiter);
  return [
    ...new Set([...path.filter(isAbsolute), ...usualFolders(env, platform)]),
  ];
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
      return [
        ...["/usr/bin", "/usr/local/bin"],
        // Red Hat keeps its QEMU out of the PATH.
        "/usr/libexec",
        // mke2fs and others, which an ordinary user's PATH lacks.
        ...["/usr/local/sbin", "/usr/sbin", "/sbin"],
      ];
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
