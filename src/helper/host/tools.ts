/*
 * Which programs of this host Guesthouse runs, and of which version. It owns what was learnt of each file, so that asking is
 * cheap until the file changes. The doctor asks for all of them, a start of QEMU for its own.
 */
import { stat } from "node:fs/promises";
import { execa } from "execa";
import { given } from "../../base/given.ts";
import { type GuesthouseError, failed } from "../../protocol/failure.ts";
import type { QemuArchitecture } from "../qemu/commandLine.ts";
import { findProgram } from "../processes/programs.ts";
import {
  type PackageManager,
  type ToolName,
  findPackageManager,
  installCommand,
} from "./packages.ts";

export interface Tool {
  readonly path: string;
  /** As it says itself: `7.2.22`; `unknown` when it doesn't. */
  readonly version: string;
}

export interface Tools {
  readonly arch: QemuArchitecture;
  /** The emulator for `arch`. */
  readonly qemuSystem?: Tool;
  readonly qemuImg?: Tool;
  readonly ssh?: Tool;
  readonly mmdebstrap?: Tool;
  readonly passt?: Tool;
  readonly packageManager?: PackageManager;
}

export const hostQemuArchitecture = (): QemuArchitecture =>
  process.arch === "arm64" ? "aarch64" : "x86_64";

/** Finds every program that some part of Guesthouse runs; missing ones are left out. Versions are remembered per file. */
export async function findTools(
  arch: QemuArchitecture = hostQemuArchitecture(),
  signal?: AbortSignal,
): Promise<Tools> {
  const [qemuSystem, qemuImg, ssh, mmdebstrap, passt, packageManager] =
    await Promise.all([
      findTool([`qemu-system-${arch}`, "qemu-kvm"], ["--version"], signal),
      findTool(["qemu-img"], ["--version"], signal),
      findTool(["ssh"], ["-V"], signal),
      findTool(["mmdebstrap"], ["--version"], signal),
      findTool(["passt"], ["--version"], signal),
      findPackageManager(),
    ]);
  return {
    arch,
    ...(qemuSystem && { qemuSystem }),
    ...(qemuImg && { qemuImg }),
    ...(ssh && { ssh }),
    ...(mmdebstrap && { mmdebstrap }),
    ...(passt && { passt }),
    ...(packageManager && { packageManager }),
  };
}

async function findTool(
  names: readonly string[],
  versionArguments: readonly string[],
  signal: AbortSignal | undefined,
): Promise<Tool | undefined> {
  for (const name of names) {
    const path = await findProgram(name);
    if (path !== undefined)
      return {
        path,
        version: await versionOf(path, versionArguments, signal),
      };
  }
  return undefined;
}

const versions = new Map<string, string>();
const versionTimeoutMs = 10_000;

async function versionOf(
  path: string,
  args: readonly string[],
  signal: AbortSignal | undefined,
): Promise<string> {
  const { mtimeMs } = await stat(path);
  const key = `${path}:${String(mtimeMs)}`;
  const known = versions.get(key);
  if (known !== undefined) return known;
  const { all, failed: unusable } = await execa(path, args, {
    all: true,
    reject: false,
    stdin: "ignore",
    timeout: versionTimeoutMs,
    ...given({ cancelSignal: signal }),
  });
  signal?.throwIfAborted();
  if (unusable) return "unknown";
  const version = parseVersion(all);
  versions.set(key, version);
  return version;
}

/** `QEMU emulator version 7.2.22 (…)`, `OpenSSH_9.2p1 …`, `passt 0.0~git20230309…`, `mmdebstrap 1.3.5`. Pure. */
export function parseVersion(output: string): string {
  return /\d+(?:\.\w+)+(?:~git\d+)?/.exec(output)?.[0] ?? "unknown";
}

/** What each tool is for, as it stands in a sentence. */
export const toolTitles: Readonly<Record<ToolName, string>> = {
  qemuSystem: "QEMU, which runs the machines,",
  qemuImg: "qemu-img, which makes their disks,",
  ssh: "The OpenSSH client, which reaches them,",
  mmdebstrap: "mmdebstrap, which builds images from a package mirror,",
  passt: "passt, which connects machines to the network,",
};

/** The tool, or `host.toolMissing` with the command that installs it. */
export function requireTool(tools: Tools, name: ToolName): Tool {
  const tool = tools[name];
  if (tool === undefined) throw missingTool(tools, name);
  return tool;
}

function missingTool(tools: Tools, name: ToolName): GuesthouseError {
  const { packageManager, arch } = tools;
  const command =
    packageManager && installCommand(packageManager, [name], arch);
  return failed("host.toolMissing", `${toolTitles[name]} is not installed.`, {
    remedy:
      command === undefined
        ? "Install it by this system's package manager; the doctor says what is needed."
        : `Install it: ${command.join(" ")}`,
    actions: ["installTools", "doctor"],
  });
}
