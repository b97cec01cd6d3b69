import type { SshSession } from "../../ssh/session.ts";
import type { OnProgress } from "../copy.ts";
import type { FolderCopied, FolderCopy } from "../copyFolder.ts";
import type { Step } from "../devcontainer/commands.ts";
import type { LifecycleCommand } from "../devcontainer/model.ts";
import type { Environment } from "./environment.ts";
import type { prepareGuest, remember, writeEnvironment } from "./guest.ts";
import type { RunStep } from "./steps.ts";

/** How a workspace is set up in a guest. */
export interface GuestWay {
  /** Features, dotfiles and what is for the editor are scripts for a POSIX shell. */
  readonly isPosix: boolean;
  readonly stepsOf: (command: LifecycleCommand | undefined) => Step[];
  readonly prepare: typeof prepareGuest;
  readonly remember: typeof remember;
  /** The folder's files, for the first time; `marks` is what the guest remembers. */
  readonly copyIn: (
    session: SshSession,
    copy: FolderCopy,
    marks: ReadonlyMap<string, string>,
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
