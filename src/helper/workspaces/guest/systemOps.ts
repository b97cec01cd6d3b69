import type { SshSession } from "../../ssh/session.ts";
import type { OnProgress } from "../copying/copy.ts";
import type { FolderCopied, FolderCopy } from "../copying/copyFolder.ts";
import type { Step } from "../devcontainer/lifecycleCommands.ts";
import type { Devcontainer, LifecycleCommand } from "../devcontainer/model.ts";
import type { Placing } from "../devcontainer/placing.ts";
import type { MachineSize } from "../devcontainer/size.ts";
import type { Environment } from "./environment.ts";
import type { prepareGuest, remember, writeEnvironment } from "./linuxGuest.ts";
import type { RunStep } from "./steps.ts";

/** Which stages of an `up`, and what else of a workspace, are written for a guest's system. */
export interface SystemAbilities {
  /** Scripts for a POSIX shell, and so are the next three. */
  readonly features: boolean;
  /** Machine settings and extensions of the editor's server. */
  readonly editor: boolean;
  readonly dotfiles: boolean;
  /** Having git ask this computer for credentials. */
  readonly gitCredentials: boolean;
  /** Having the folder mounted instead of copied. */
  readonly share: boolean;
  readonly prebuild: boolean;
}

/** How a workspace is set up in a guest of one system. */
export interface SystemOps {
  /** For people. */
  readonly title: string;
  readonly can: SystemAbilities;
  /** Where the folder's files go, and what is opened of them; `user` is the image's. */
  readonly place: (
    folder: string,
    name: string,
    user: string,
    wish: Pick<Devcontainer, "workspaceMount" | "workspaceFolder">,
  ) => Placing;
  /** The size of a VM that nobody has a wish for, of the host's usual one and the image's disk. */
  readonly usualSize: (usual: MachineSize, diskGiB?: number) => MachineSize;
  readonly stepsOf: (command: LifecycleCommand | undefined) => Step[];
  readonly prepare: typeof prepareGuest;
  readonly remember: typeof remember;
  /** The folder's files, for the first time; `marks` is what the guest remembers. */
  readonly copyIn: (
    session: SshSession,
    copy: FolderCopy & { readonly marks: ReadonlyMap<string, string> },
    onProgress: OnProgress,
    signal: AbortSignal,
  ) => Promise<FolderCopied>;
  readonly writeEnvironment: typeof writeEnvironment;
  /** See `guestRunner`. */
  readonly runner: (
    session: SshSession,
    folder: string,
    secrets?: Environment,
    hidden?: readonly string[],
  ) => RunStep;
  /** A command line for the guest's sshd that runs a program in a folder, in the workspace's environment, by its own streams. */
  readonly remoteCommand: (folder: string, argv: readonly string[]) => string;
}
