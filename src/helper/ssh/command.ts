/* What a session in a guest can do, whoever makes it: commands with their streams, files, and an end. */
import type { Duplex, Readable, Writable } from "node:stream";
import type {
  TreeEntry,
  TreeProgress,
  TreeSent,
  TreeTarget,
} from "./sftpTree.ts";

export interface ExecOptions {
  readonly stdin?: string | Uint8Array;
  readonly onStdout?: (chunk: Buffer) => void;
  readonly onStderr?: (chunk: Buffer) => void;
}

export interface StartOptions extends Pick<ExecOptions, "onStderr"> {
  /** Variables that a server passes on where its settings say so. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface ExecResult {
  /** Exit code; -1 when a signal ended the command. */
  readonly code: number;
  /** Its name, e.g. `SIGTERM`. */
  readonly signal?: string;
  /** What was written, as far as no callback took it; at most 1 MiB each. */
  readonly stdout: string;
  readonly stderr: string;
}

/** A running command whose streams the caller pumps, with back-pressure. `ended` must be awaited. */
export interface SshCommand {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly ended: Promise<ExecResult>;
  /** Ends it, whatever it does. */
  stop(): void;
}

/** A TCP port as the guest sees it. */
export interface GuestAddress {
  readonly address: string;
  readonly port: number;
}

export interface SshSession {
  /** Runs one command line by the user's shell in the guest. A non-zero code is a result, not an error. */
  exec(
    command: string,
    options?: ExecOptions,
    signal?: AbortSignal,
  ): Promise<ExecResult>;
  start(
    command: string,
    signal?: AbortSignal,
    options?: StartOptions,
  ): Promise<SshCommand>;
  /** A connection from the guest to an address that it sees; both its directions end by themselves. */
  dial(to: GuestAddress): Promise<Duplex>;
  /** Sends one file by SFTP, keeping its mode. */
  upload(local: string, remote: string, signal?: AbortSignal): Promise<void>;
  /** Fetches one file by SFTP, keeping its mode. */
  download(remote: string, local: string, signal?: AbortSignal): Promise<void>;
  /** See `sftpTree.ts`. */
  sendTree(
    entries: readonly TreeEntry[],
    target: TreeTarget,
    onProgress: (progress: TreeProgress) => void,
    signal?: AbortSignal,
  ): Promise<TreeSent | undefined>;
  /** Settles when the connection is gone, whoever ended it. */
  readonly closed: Promise<void>;
  close(): void;
}
