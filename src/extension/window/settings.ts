import { workspace } from "vscode";
import type { ParsedParams } from "../../protocol/contract.ts";
import type { FilesWay } from "../../protocol/filesWays.ts";

export type WarmTemplates = "automatic" | "manual";
export type OpenIn = "newWindow" | "currentWindow";

/** Our settings as they are now; every name is in package.json. */
export interface Settings {
  readonly home: string;
  readonly qemuPath: string;
  readonly image: string;
  /** Undefined, here and below: the helper decides by the image and the host. */
  readonly cpus: number | undefined;
  readonly memoryMiB: number | undefined;
  readonly diskGiB: number | undefined;
  readonly openIn: OpenIn;
  /** A window that opens a folder with a devcontainer.json offers to reopen it in a VM. */
  readonly offerToReopen: boolean;
  /** How the files of folders come into their VMs. */
  readonly files: FilesWay;
  /** The user's own, for folders that are brought up; undefined when there are none. */
  readonly dotfiles: ParsedParams<"workspaces.up">["dotfiles"];
  /** Give git in VMs the user's name and address. */
  readonly gitIdentity: boolean;
  readonly gitCredentials: boolean;
  readonly manageSshConfig: boolean;
  readonly agentForwarding: boolean;
  /** New machines may reach servers on this computer's loopback address. */
  readonly hostLoopback: boolean;
  /** Keep a checkpoint before what may go wrong: rolling back, resizing. */
  readonly checkpointBeforeRisk: boolean;
  readonly warmTemplates: WarmTemplates;
  /** Clones of each image that wait to become the next machine. */
  readonly warmPool: number;
  /** A VM without ssh connections for so long is suspended; 0: never. */
  readonly idleStopMinutes: number;
}

export function readSettings(): Settings {
  const ours = workspace.getConfiguration("guesthouse");
  /** 0 stands for a decision that is left to the helper. */
  const size = (name: string): number | undefined => {
    const value = ours.get<number>(name, 0);
    return value > 0 ? value : undefined;
  };
  return {
    home: ours.get("home", "").trim(),
    qemuPath: ours.get("qemuPath", "").trim(),
    image: ours.get("defaultImage", "debian-12"),
    cpus: size("cpus"),
    memoryMiB: size("memoryMiB"),
    diskGiB: size("diskGiB"),
    offerToReopen: ours.get("offerToReopen", true),
    openIn: ours.get<OpenIn>("openIn", "newWindow"),
    files: ours.get<FilesWay>("files", "copy"),
    dotfiles: dotfilesOf(
      ours.get("dotfiles.repository", ""),
      ours.get("dotfiles.targetPath", "~/dotfiles"),
      ours.get("dotfiles.installCommand", ""),
    ),
    gitIdentity: ours.get("gitIdentity", true),
    gitCredentials: ours.get("gitCredentials", false),
    manageSshConfig: ours.get("manageSshConfig", true),
    agentForwarding: ours.get("agentForwarding", false),
    hostLoopback: ours.get("network.hostLoopback", false),
    warmTemplates: ours.get<WarmTemplates>("warmTemplates", "automatic"),
    warmPool: ours.get("warmPool", 0),
    idleStopMinutes: ours.get("idleStopMinutes", 0),
    checkpointBeforeRisk: ours.get("checkpoints.beforeRiskyOperations", false),
  };
}

function dotfilesOf(
  repository: string,
  targetPath: string,
  installCommand: string,
): Settings["dotfiles"] {
  if (repository.trim() === "") return undefined;
  return {
    repository: repository.trim(),
    ...(targetPath.trim() === "" ? {} : { targetPath: targetPath.trim() }),
    ...(installCommand.trim() === ""
      ? {}
      : { installCommand: installCommand.trim() }),
  };
}
