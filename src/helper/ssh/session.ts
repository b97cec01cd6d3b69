/*
 * A session in a guest, over one logged-in client that it owns: commands with their streams, files, and an end. The channel of
 * a command is closed with its command, and everything with the session. Whoever opens one closes it; `withSession` does so
 * for a piece of work.
 */
import type { Duplex } from "node:stream";
import type { ClientChannel, Client } from "ssh2";
import { promiseWithResolvers } from "../../base/deadline.ts";
import { failed, type GuesthouseError } from "../../protocol/failure.ts";
import { openClient, type ConnectFailure } from "./client.ts";
import { framed } from "./framedSession.ts";
import type {
  ExecResult,
  GuestAddress,
  SshCommand,
  SshSession,
  StartOptions,
} from "./command.ts";
import { sendTree } from "./sftpTree.ts";
import { collector, takeExec } from "./takeExec.ts";
import type { ConnectOptions, SshTarget } from "./target.ts";
import { fetchFile, sendFile } from "./transfer.ts";

export type {
  ExecOptions,
  ExecResult,
  GuestAddress,
  SshCommand,
  SshSession,
} from "./command.ts";

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
  const session = sessionOver(outcome.client);
  return target.isPosix === true ? framed(session) : session;
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
    start: (command, signal, options = {}) =>
      startCommand(client, command, options, signal),
    dial: (to) => dial(client, to),
    exec: async (command, options = {}, signal) =>
      takeExec(await startCommand(client, command, options, signal), options),
    upload: (local, remote, signal) => sendFile(client, local, remote, signal),
    download: (remote, local, signal) =>
      fetchFile(client, remote, local, signal),
    sendTree: (entries, target, onProgress, signal) =>
      sendTree(client, { entries, target }, onProgress, signal),
  };
}

const dial = (
  client: Client,
  { address, port }: GuestAddress,
): Promise<Duplex> =>
  openChannel(
    client,
    {
      what: `a connection to ${address}:${String(port)}`,
      open: (opened) =>
        client.forwardOut("127.0.0.1", 0, address, port, opened),
    },
    undefined,
    (channel) => channel,
  );

async function startCommand(
  client: Client,
  command: string,
  options: StartOptions,
  signal?: AbortSignal,
): Promise<SshCommand> {
  signal?.throwIfAborted();
  const env = { ...options.env };
  const exec: Opening = {
    what: command,
    open: (opened) => client.exec(command, { env }, opened),
  };
  return openChannel(client, exec, signal, (channel) => {
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

/** What a channel is for, and what asks the client for it. */
interface Opening {
  readonly what: string;
  readonly open: (
    opened: (error: Error | undefined, channel: ClientChannel) => void,
  ) => void;
}

/**
 * Answers with what `onOpen` makes of the channel. It is called at once, not after the promise: the words that the
 * command has begun, has ended and how may come in one packet, and are all told before anything that awaits goes on.
 */
function openChannel<T>(
  client: Client,
  { what, open }: Opening,
  signal: AbortSignal | undefined,
  onOpen: (channel: ClientChannel) => T,
): Promise<T> {
  const { promise, resolve, reject } = promiseWithResolvers<T>();
  const onClose = (): void => reject(brokeOff(what));
  const onAbort = (): void => reject(signal?.reason);
  client.once("close", onClose);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    open((error, channel) => {
      if (error !== undefined) reject(brokeOff(what, error));
      else if (signal?.aborted === true) channel.close();
      else resolve(onOpen(channel));
    });
  } catch (error) {
    reject(brokeOff(what, error));
  }
  return promise.finally(() => {
    client.off("close", onClose);
    signal?.removeEventListener("abort", onAbort);
  });
}

async function watchCommand(
  channel: ClientChannel,
  options: StartOptions,
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
