import { stat } from "node:fs/promises";
import type { Client, SFTPWrapper } from "ssh2";
import { promiseWithResolvers } from "../../base/deadline.ts";
import { failed, GuesthouseError } from "../../protocol/failure.ts";

/** Sends one file by SFTP with its mode. Throws `ssh.transferFailed`, naming both ends. */
export async function sendFile(
  client: Client,
  local: string,
  remote: string,
  signal?: AbortSignal,
): Promise<void> {
  const { mode } = await stat(local);
  const what = `${local} to ${remote} in the guest`;
  await withSftp(client, what, signal, (sftp, done) =>
    sftp.fastPut(local, remote, { mode: mode & 0o777 }, done),
  );
}

/** Fetches one file by SFTP with its mode. Throws `ssh.transferFailed`, naming both ends. */
export async function fetchFile(
  client: Client,
  remote: string,
  local: string,
  signal?: AbortSignal,
): Promise<void> {
  const what = `${remote} in the guest to ${local}`;
  await withSftp(client, what, signal, (sftp, done) =>
    sftp.stat(remote, (error, attributes) => {
      if (error !== undefined) done(error);
      else sftp.fastGet(remote, local, { mode: attributes.mode & 0o777 }, done);
    }),
  );
}

type Done = (error?: Error | null) => void;

const withSftp = (
  client: Client,
  what: string,
  signal: AbortSignal | undefined,
  transfer: (sftp: SFTPWrapper, done: Done) => void,
): Promise<void> =>
  openSftp(
    client,
    what,
    signal,
    (sftp) =>
      new Promise<void>((resolve, reject) =>
        transfer(sftp, (error) => {
          if (error === undefined || error === null) resolve();
          else reject(error);
        }),
      ),
  );

/** Opens an SFTP channel for `work` and closes it afterwards. Whatever fails is told as the copying of `what` failing. */
export async function openSftp<T>(
  client: Client,
  what: string,
  signal: AbortSignal | undefined,
  work: (sftp: SFTPWrapper) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const { promise, resolve, reject } = promiseWithResolvers<T>();
  const fail = (error: unknown): void =>
    reject(
      error instanceof GuesthouseError ? error : transferFailed(what, error),
    );
  const onClose = (): void => fail(new Error("the connection broke"));
  let sftp: SFTPWrapper | undefined;
  const onAbort = (): void => reject(signal?.reason);
  client.once("close", onClose);
  signal?.addEventListener("abort", onAbort, { once: true });
  client.sftp((error, opened) => {
    if (error !== undefined) {
      fail(error);
      return;
    }
    sftp = opened;
    if (signal?.aborted === true) opened.end();
    else work(opened).then(resolve, fail);
  });
  try {
    return await promise;
  } finally {
    client.off("close", onClose);
    signal?.removeEventListener("abort", onAbort);
    sftp?.end();
  }
}

export const transferFailed = (what: string, cause: unknown): GuesthouseError =>
  failed(
    "ssh.transferFailed",
    `Copying ${what} failed: ${cause instanceof Error ? cause.message : String(cause)}.`,
    {
      remedy:
        "Check that the target's folder exists, may be written and has room, then try again.",
      actions: ["retry"],
      cause,
    },
  );
