import {
  makePrivateFolder,
  readIfPresent,
  replaceFile,
} from "../../base/files.ts";
import type { SshFiles } from "../store/layout.ts";
import { shellQuote } from "./quote.ts";

export interface Launcher {
  /** Program and leading arguments that run the helper bundle. */
  readonly command: readonly string[];
  /** Set before it runs; ssh gives it no more than its own environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** Writes the script that ssh's ProxyCommand runs (0700). Answers false when it already said the same. */
export async function writeLauncher(
  files: Pick<SshFiles, "folder" | "launcher">,
  launcher: Launcher,
): Promise<boolean> {
  const text = launcherText(launcher, process.platform);
  if ((await readIfPresent(files.launcher)) === text) return false;
  await makePrivateFolder(files.folder);
  await replaceFile(files.launcher, text, 0o700);
  return true;
}

/** Pure text of the script: a POSIX shell script, or a batch file on Windows. */
export function launcherText(
  launcher: Launcher,
  platform: NodeJS.Platform,
): string {
  const env = Object.entries(launcher.env).sort(([a], [b]) => (a < b ? -1 : 1));
  if (platform === "win32")
    return [
      "@echo off",
      "rem Written by Guesthouse.",
      ...env.map(([name, value]) => `set "${name}=${batchEscape(value)}"`),
      `${launcher.command.map((word) => `"${batchEscape(word)}"`).join(" ")} %*`,
      "",
    ].join("\r\n");
  return [
    "#!/bin/sh",
    "# Written by Guesthouse.",
    ...env.map(([name, value]) => `export ${name}=${shellQuote(value)}`),
    `exec ${launcher.command.map(shellQuote).join(" ")} "$@"`,
    "",
  ].join("\n");
}

/** In a batch file a percent sign is doubled, inside quotes too. */
const batchEscape = (text: string): string => text.replaceAll("%", "%%");
