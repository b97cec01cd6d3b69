import type { Readable, Writable } from "node:stream";
import type { ClientChannel, Client } from "ssh2";
import { promiseWithResolvers } from "../../base/deadline.ts";
import { failed, type GuesthouseError } from "../../protocol/failure.ts";
import { openClient, type ConnectFailure } from "./client.ts";
import {
  sendTree,
  type TreeEntry,
  type TreeProgress,
  type TreeSent,
  type TreeTarget,
} from "./sftpTree.ts";
import type { ConnectOptions, SshTarget } from "./target.ts";
import { fetchFile, sendFile } from "./transfer.ts";

export interface ExecOptions {
  readonly stdin?: string | Uint8Array;
  readonly onStdout?: (chunk: Buffer) => void;
  readonly onStderr?: (chunk: Buffer) => void;
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

export interface SshSession {
  /** Runs one command line by the user's shell in the guest. A non-zero code is a result, not an error. */
  exec(
    command: string,
    options?: ExecOptions,
    signal?: AbortSignal,
  ): Promise<ExecResult>;
  start(command: string, signal?: AbortSignal): Promise<SshCommand>;
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

/**
 * Logs in with the key and checks the server's key (B23). Throws `ssh.connectFailed` when nothing answers or the login is
 * refused, `ssh.hostKeyMismatch` when the server shows another key than `target.hostKey`; the signal's reason on abort.
 */
export async function connectSsh(
  target: SshTarget,
  options: ConnectOptions = {},
  signal?: AbortSignal,
): Promise<SshSession> {
  const outcome = await openClient(target, options, signal);
  if (outcome.kind !== "open") throw connectFailure(target, outcome);
  return sessionOver(outcome.client);
}

/** The plain sentence for each way in which a connection is not made. */
export function connectFailure(
  target: Pick<SshTarget, "host" | "port" | "user">,
  outcome: ConnectFailure,
): GuesthouseError {
  const where = `${target.host}:${String(target.port)}`;
  switch (outcome.kind) {
    case "hostKeyMismatch":
      return failed(
        "ssh.hostKeyMismatch",
        `The server at ${where} showed another host key (${outcome.shown}) than the one that is known for this machine. Somebody may be in the middle, so nothing was sent.`,
        {
          remedy:
            "If you changed the guest's host key yourself, put the old one back or create the machine anew.",
          actions: ["showDiagnosis"],
        },
      );
    case "loginRefused":
      return failed(
        "ssh.connectFailed",
        `The guest refused the login of ${target.user} with our key: ${outcome.detail}.`,
        {
          remedy: `Check that ${target.user} exists in the guest and that its authorized_keys holds our key.`,
          actions: ["showDiagnosis", "openConsole"],
        },
      );
    case "noBanner":
      return failed(
        "ssh.connectFailed",
        `No SSH server answered at ${where} within ${String(outcome.waitedMs)} ms.`,
        {
          remedy:
            "Wait until the machine is ready, or look at its diagnosis and console.",
          actions: ["showDiagnosis", "openConsole", "retry"],
        },
      );
    case "broken":
      return failed(
        "ssh.connectFailed",
        `The SSH connection to ${where} broke: ${outcome.detail}.`,
        {
          remedy: "Check that the machine is running, then try again.",
          actions: ["retry", "showDiagnosis"],
        },
      );
  }
}

/** A session over a logged-in client, which it owns from now on. */
export function sessionOver(client: Client): SshSession {
  const { promise: closed, resolve } = promiseWithResolvers<void>();
  client.once("close", () => resolve());
  return {
    closed,
    close: () => client.destroy(),
    start: (command, signal) => startCommand(client, command, {}, signal),
    exec: async (command, options = {}, signal) => {
      const running = await startCommand(client, command, options, signal);
      if (options.onStdout === undefined)
        return endWith(running, options, true);
      running.stdout.on("data", options.onStdout);
      return endWith(running, options, false);
    },
    upload: (local, remote, signal) => sendFile(client, local, remote, signal),
    download: (remote, local, signal) =>
      fetchFile(client, remote, local, signal),
    sendTree: (entries, target, onProgress, signal) =>
      sendTree(client, entries, target, onProgress, signal),
  };
}

async function endWith(
  command: SshCommand,
  options: ExecOptions,
  collect: boolean,
): Promise<ExecResult> {
  const stdout = collect ? collector() : undefined;
  if (stdout !== undefined) command.stdout.on("data", stdout.take);
  // The command may end without reading its input; its exit code tells all there is to know.
  command.stdin.on("error", () => undefined);
  command.stdin.end(options.stdin);
  const result = await command.ended;
  return { ...result, stdout: stdout?.text() ?? "" };
}

async function startCommand(
  client: Client,
  command: string,
  options: Pick<ExecOptions, "onStderr">,
  signal?: AbortSignal,
): Promise<SshCommand> {
  signal?.throwIfAborted();
  return openChannel(client, command, signal, (channel) => {
    const ended = watchCommand(channel, options, signal);
    // Whoever pumps the streams comes to it last.
    ended.catch(() => undefined);
    return {
      stdin: channel,
      stdout: channel,
      stop: () => {
        channel.close();
        channel.destroy();
      },
      ended,
    };
  });
}

/**
 * Answers with what `onOpen` makes of the channel. It is called at once, not after the promise: the words that the
 * command has begun, has ended and how may come in one packet, and are all told before anything that awaits goes on.
 */
function openChannel<T>(
  client: Client,
  command: string,
  signal: AbortSignal | undefined,
  onOpen: (channel: ClientChannel) => T,
): Promise<T> {
  const { promise, resolve, reject } = promiseWithResolvers<T>();
  const onClose = (): void => reject(brokeOff(command));
  const onAbort = (): void => reject(signal?.reason);
  client.once("close", onClose);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    client.exec(command, (error, channel) => {
      if (error !== undefined) reject(brokeOff(command, error));
      else if (signal?.aborted === true) channel.close();
      else resolve(onOpen(channel));
    });
  } catch (error) {
    reject(brokeOff(command, error));
  }
  return promise.finally(() => {
    client.off("close", onClose);
    signal?.removeEventListener("abort", onAbort);
  });
}

async function watchCommand(
  channel: ClientChannel,
  options: Pick<ExecOptions, "onStderr">,
  signal?: AbortSignal,
): Promise<ExecResult> {
  const { promise, resolve, reject } = promiseWithResolvers<ExecResult>();
  const stderr = collector();
  let result: Pick<ExecResult, "code" | "signal"> | undefined;
  const onAbort = (): void => {
    channel.signal("TERM");
    channel.close();
    reject(signal?.reason);
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  channel.stderr.on("data", options.onStderr ?? stderr.take);
  channel.on("exit", (code: number | null, signalName?: string) => {
    result =
      code === null ? { code: -1, signal: signalName ?? "unknown" } : { code };
  });
  channel.on("error", (error: Error) => reject(brokeOff("it", error)));
  // `close` comes after the last data of both streams; `exit` may come before them.
  channel.on("close", () => {
    if (result === undefined) reject(brokeOff("it"));
    else resolve({ ...result, stdout: "", stderr: stderr.text() });
  });
  try {
    return await promise;
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}

const brokeOff = (command: string, cause?: unknown): GuesthouseError =>
  failed(
    "ssh.connectFailed",
    `The connection to the guest broke before “${command.slice(0, 80)}” ended${cause instanceof Error ? `: ${cause.message}` : ""}.`,
    {
      remedy: "Check that the machine is running, then try again.",
      actions: ["retry", "showDiagnosis"],
      cause,
    },
  );

const maxCollectedBytes = 1024 * 1024;

function collector(): { take: (chunk: Buffer) => void; text: () => string } {
  const chunks: Buffer[] = [];
  let bytes = 0;
  return {
    take: (chunk) => {
      if (bytes >= maxCollectedBytes) return;
      chunks.push(chunk);
      bytes += chunk.length;
    },
    text: () =>
      Buffer.concat(chunks).subarray(0, maxCollectedBytes).toString("utf8"),
  };
}
