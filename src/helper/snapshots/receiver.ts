import { createWriteStream } from "node:fs";
import { rename, rm, statfs } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { promiseWithResolvers } from "../../base/deadline.ts";
import { syncFile, syncFolder } from "../../base/files.ts";
import { failed, toFailure } from "../../protocol/failure.ts";
import { withPrivateMask } from "../processes/privateMask.ts";
import { partOf } from "./layers.ts";

/** One stream, from a unix socket into a file. */
export interface Receiver {
  /** Resolves with the bytes written when the stream has ended; rejects when the file can't be written (disk full). */
  readonly received: Promise<number>;
  /** Makes the file last and gives it its name. After `received` only. */
  keep(): Promise<void>;
  /**
   * What to throw where the whole has failed with `error`: `host.diskFull` where that was it, whichever end of the stream noticed
   * first and in whose words. Ends the stream; before `close`, as the part that fills the disk is still there.
   */
  blame(error: unknown): Promise<unknown>;
  /** Removes socket and, unless it was kept, file. Ends a stream under way, which its sender notices. */
  close(): Promise<void>;
}

const bufferBytes = 4 * 1024 ** 2;

const reserveBytes = 128 * 1024 ** 2;
const lookMs = 20;

/** A disk filled to the brim would hurt every guest: QEMU stops one whose write finds no room. */
async function hasRoom(folder: string): Promise<boolean> {
  const { bavail, blocks, bsize } = await statfs(folder);
  return bavail * bsize > Math.min(reserveBytes, (blocks * bsize) / 20);
}

const tooFull = (path: string): Error =>
  failed(
    "host.diskFull",
    `The disk of ${dirname(path)} is nearly full, so the machine's memory can't be kept there.`,
    {
      remedy:
        "Free some space (guesthouse gc says what can go), then try again.",
    },
  );

/** Fails with `host.diskFull` before the disk is. Listens once; the file is written under a passing name (0600) and appears whole or not at all. */
export async function receiveStream(
  socketPath: string,
  path: string,
): Promise<Receiver> {
  const part = partOf(path);
  const done = promiseWithResolvers<number>();
  let socket: Socket | undefined;
  if (!(await hasRoom(dirname(path)))) throw tooFull(path);
  await rm(socketPath, { force: true });
  await rm(part, { force: true });
  const server = createServer((connection) => {
    socket = connection;
    server.close();
    const file = createWriteStream(part, {
      flags: "wx",
      mode: 0o600,
      highWaterMark: bufferBytes,
    });
    const look = setInterval(() => {
      hasRoom(dirname(path)).then(
        (room) => (room ? undefined : connection.destroy(tooFull(path))),
        () => undefined,
      );
    }, lookMs);
    pipeline(connection, file)
      .finally(() => clearInterval(look))
      .then(() => done.resolve(file.bytesWritten), done.reject);
  });
  const listening = promiseWithResolvers<void>();
  server.once("error", listening.reject);
  withPrivateMask(() => server.listen(socketPath, listening.resolve));
  await listening.promise;

  return {
    received: done.promise,
    async keep() {
      await syncFile(part);
      await rename(part, path);
      await syncFolder(dirname(path));
    },
    async blame(error) {
      if (socket === undefined) return error;
      socket.destroy();
      const own: unknown = await done.promise.then(
        () => undefined,
        (failure: unknown) => failure,
      );
      if (own === undefined) return error;
      if (toFailure(own).code === "host.diskFull") return own;
      const room = await hasRoom(dirname(path)).catch(() => true);
      return room ? error : tooFull(path);
    },
    async close() {
      server.close();
      if (socket === undefined) done.reject(new Error("nothing was sent"));
      socket?.destroy();
      await done.promise.catch(() => undefined);
      await rm(socketPath, { force: true });
      await rm(part, { force: true });
    },
  };
}
