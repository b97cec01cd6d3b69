import { constants } from "node:fs";
import { access, stat, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { given } from "../../base/given.ts";
import { isMissing } from "../../base/files.ts";
import type { Log } from "../../base/log.ts";
import { toFailure } from "../../protocol/failure.ts";
import type { DoctorCheck, DoctorReport } from "../../protocol/host.ts";
import { chooseNetwork } from "../networks/backend.ts";
import { inspectQemu } from "../qemu/inspect.ts";
import { chooseAccelerator } from "./accelerator.ts";
import { type ToolName, installCommand } from "./packages.ts";
import { type Tools, findTools, toolTitles } from "./tools.ts";

export interface DoctorRequest {
  /** The data folder; need not exist yet. */
  readonly home: string;
  readonly acceleratorCache: string;
  /** `layout.networkTrials` */
  readonly networkCache: string;
  readonly log: Log;
  /** Repeat the trials of accelerator and network. */
  readonly retry?: boolean;
  /** Checks of other rooms, e.g. of the Include line in the ssh config. */
  readonly extraChecks?: () => Promise<DoctorCheck[]>;
}

/** Looks at everything that machines need on this host. A check that fails is a line in the report, never a throw. */
export async function examineHost(
  request: DoctorRequest,
  signal?: AbortSignal,
): Promise<DoctorReport> {
  const tools = await findTools(undefined, signal);
  const checks = await Promise.all([
    guarded("qemu", "QEMU", () => checkQemu(tools, signal)),
    guarded("qemu-img", "qemu-img", () =>
      checkTool(tools, "qemuImg", {
        id: "qemu-img",
        title: "qemu-img",
        withoutIt: "error",
      }),
    ),
    guarded("accelerator", "Accelerator", () =>
      checkAccelerator(tools, request, signal),
    ),
    guarded("network", "Network", () => checkNetwork(tools, request, signal)),
    guarded("ssh", "OpenSSH client", () =>
      checkTool(tools, "ssh", {
        id: "ssh",
        title: "OpenSSH client",
        withoutIt: "error",
      }),
    ),
    guarded("build-tools", "Image builder", () =>
      checkTool(tools, "mmdebstrap", {
        id: "build-tools",
        title: "Image builder",
        withoutIt: "warning",
      }),
    ),
    guarded("data-folder", "Data folder", () => checkFolder(request.home)),
    guarded("disk-space", "Disk space", () => checkSpace(request.home)),
  ]);
  checks.push(...((await request.extraChecks?.()) ?? []));
  signal?.throwIfAborted();
  const command = installAll(tools);
  return {
    healthy: checks.every(({ outcome }) => outcome !== "error"),
    checks,
    ...given({ installCommand: command }),
  };
}

async function guarded(
  id: string,
  title: string,
  check: () => DoctorCheck | Promise<DoctorCheck>,
): Promise<DoctorCheck> {
  try {
    return await check();
  } catch (error) {
    const { message, remedy } = toFailure(error);
    return {
      id,
      title,
      outcome: "error",
      detail: message,
      ...given({ remedy }),
    };
  }
}

const wanted: readonly ToolName[] = [
  "qemuSystem",
  "qemuImg",
  "ssh",
  "mmdebstrap",
  ...(process.platform === "linux" ? (["passt"] as const) : []),
];

function installAll(tools: Tools): string[] | undefined {
  const absent = wanted.filter((name) => tools[name] === undefined);
  return (
    tools.packageManager &&
    installCommand(tools.packageManager, absent, tools.arch)
  );
}

interface ToolCheck extends Pick<DoctorCheck, "id" | "title"> {
  /** What it means that the tool is missing. */
  readonly withoutIt: "warning" | "error";
}

function checkTool(
  tools: Tools,
  name: ToolName,
  { id, title, withoutIt }: ToolCheck,
): DoctorCheck {
  const tool = tools[name];
  if (tool !== undefined)
    return {
      id,
      title,
      outcome: "ok",
      detail: `${tool.version} at ${tool.path}`,
    };
  const { packageManager, arch } = tools;
  const packages = packageManager?.packages(name, arch) ?? [];
  const command =
    packageManager && installCommand(packageManager, [name], arch);
  return {
    id,
    title,
    outcome: withoutIt,
    detail: `${toolTitles[name]} is not installed.`,
    remedy:
      command === undefined
        ? "Install it by this system's package manager."
        : `Install it: ${command.join(" ")}`,
    ...(packages.length === 0 ? {} : { packages: [...packages] }),
  };
}

/** Older versions lack options that our command line uses. */
const oldestQemu = { major: 7, minor: 2 };

async function checkQemu(
  tools: Tools,
  signal: AbortSignal | undefined,
): Promise<DoctorCheck> {
  const there = checkTool(tools, "qemuSystem", {
    id: "qemu",
    title: "QEMU",
    withoutIt: "error",
  });
  if (tools.qemuSystem === undefined) return there;
  const { version, sandbox } = await inspectQemu(tools.qemuSystem.path, signal);
  const tooOld =
    version.major < oldestQemu.major ||
    (version.major === oldestQemu.major && version.minor < oldestQemu.minor);
  if (tooOld)
    return {
      ...there,
      outcome: "error",
      detail: `${there.detail} is too old; 7.2 is the oldest version that works.`,
      remedy:
        "Upgrade QEMU, or let GUESTHOUSE_QEMU name the folder of a newer one.",
    };
  return sandbox
    ? there
    : { ...there, detail: `${there.detail}, without a system-call filter` };
}

async function checkAccelerator(
  tools: Tools,
  request: DoctorRequest,
  signal: AbortSignal | undefined,
): Promise<DoctorCheck> {
  const id = "accelerator";
  const title = "Accelerator";
  if (tools.qemuSystem === undefined)
    return {
      id,
      title,
      outcome: "warning",
      detail: "Not tried, because QEMU is missing.",
    };
  const { kind, reason } = await chooseAccelerator(
    {
      binary: tools.qemuSystem.path,
      arch: tools.arch,
      cachePath: request.acceleratorCache,
      log: request.log,
      ...given({ retry: request.retry }),
    },
    signal,
  );
  if (kind !== "tcg") return { id, title, outcome: "ok", detail: reason };
  return {
    id,
    title,
    outcome: "warning",
    detail: `Machines are emulated in software, about ten times slower. ${reason}`,
    remedy:
      "Switch virtualization on in the firmware, or use a host that offers it, then run the doctor with a new trial.",
  };
}

async function checkNetwork(
  tools: Tools,
  { networkCache, log, retry }: DoctorRequest,
  signal: AbortSignal | undefined,
): Promise<DoctorCheck> {
  const id = "network";
  const title = "Network";
  if (tools.qemuSystem === undefined)
    return {
      id,
      title,
      outcome: "warning",
      detail: "Not looked at, because QEMU is missing.",
    };
  const choice = await chooseNetwork(
    {
      passt: tools.passt?.path,
      cachePath: networkCache,
      log,
      ...given({ retry }),
    },
    signal,
  );
  if (choice.backend === "passt")
    return {
      id,
      title,
      outcome: "ok",
      detail: `passt at ${choice.programs.passt}. ${choice.reason}${choice.serversSpeakFirst ? "" : " It does not deliver what a server says first, so machines that forward ports use QEMU's user network, which lets guests reach this host's loopback."}`,
    };
  const { userNetwork } = await inspectQemu(tools.qemuSystem.path, signal);
  if (!userNetwork)
    return {
      id,
      title,
      outcome: "error",
      detail: "This QEMU was built without user-mode networking (libslirp).",
      remedy:
        "Install your distribution's full QEMU, or let GUESTHOUSE_QEMU name the folder of one that has it.",
    };
  const open = `QEMU's user network, which lets guests reach servers on this host's loopback too. ${choice.reason}`;
  if (process.platform !== "linux")
    return { id, title, outcome: "ok", detail: open };
  if (tools.passt === undefined)
    return {
      ...checkTool(tools, "passt", { id, title, withoutIt: "warning" }),
      detail: open,
    };
  return {
    id,
    title,
    outcome: "warning",
    detail: open,
    remedy:
      "Install a newer passt, or pasta beside it, then run the doctor with a new trial.",
  };
}

async function checkFolder(home: string): Promise<DoctorCheck> {
  const id = "data-folder";
  const title = "Data folder";
  const folder = await nearestFolder(home);
  await access(folder, constants.W_OK);
  const { mode } = await stat(folder);
  const open = process.platform !== "win32" && (mode & 0o077) !== 0;
  if (folder === home && open)
    return {
      id,
      title,
      outcome: "warning",
      detail: `${home} can be read by other users of this host.`,
      remedy: `Run: chmod 700 ${home}`,
    };
  return { id, title, outcome: "ok", detail: home };
}

const gibibyte = 1024 ** 3;

async function checkSpace(home: string): Promise<DoctorCheck> {
  const { bavail, bsize } = await statfs(await nearestFolder(home));
  return judgeSpace(bavail * bsize, home);
}

/** An image takes about 1 GiB while it is made, a machine what its guest writes. Pure. */
export function judgeSpace(freeBytes: number, home: string): DoctorCheck {
  const outcome =
    freeBytes < 2 * gibibyte
      ? "error"
      : freeBytes < 10 * gibibyte
        ? "warning"
        : "ok";
  return {
    id: "disk-space",
    title: "Disk space",
    outcome,
    detail: `${(freeBytes / gibibyte).toFixed(1)} GiB free for ${home}`,
    ...(outcome === "ok"
      ? {}
      : {
          remedy: "Free some space, or point GUESTHOUSE_HOME at a larger disk.",
        }),
  };
}

/** The folder itself, or the closest one above it that exists. */
async function nearestFolder(path: string): Promise<string> {
  try {
    await stat(path);
    return path;
  } catch (error) {
    if (!isMissing(error) || dirname(path) === path) throw error;
    return nearestFolder(dirname(path));
  }
}
