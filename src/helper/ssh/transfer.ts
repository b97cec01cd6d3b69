import { stat } from "node:fs/promises";
import type { Client, SFTPWrapper } from "ssh2";
import { promiseWithResolvers } from "../../base/deadline.ts";
import { failed, type GuesthouseError } from "../../protocol/failure.ts";

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

async function withSftp(
  client: Client,
  what: string,
  signal: AbortSignal | undefined,
  transfer: (sftp: SFTPWrapper, done: Done) => void,
): Promise<void> {
  signal?.throwIfAborted();
  const { promise, resolve, reject } = promiseWithResolvers<void>();
  const done: Done = (error) => {
    if (error === undefined || error === null) resolve();
    else reject(transferFailed(what, error));
  };
  const onClose = (): void => done(new Error("the connection broke"));
  let sftp: SFTPWrapper | undefined;
  const onAbort = (): void => reject(signal?.reason);
  client.once("close", onClose);
  signal?.addEventListener("abort", onAbort, { once: true });
  client.sftp((error, opened) => {
    if (error !== undefined) {
      done(error);
      return;
    }
    sftp = opened;
    if (signal?.aborted === true) opened.end();
    else transfer(opened, done);
  });
  try {
    await promise;
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
