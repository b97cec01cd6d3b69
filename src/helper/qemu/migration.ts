import { createWriteStream } from "node:fs";
import { open, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { pipeline } from "node:stream/promises";
import { promiseWithResolvers, withDeadline } from "../../base/deadline.ts";
import { cancelled, failed } from "../../protocol/failure.ts";
import type { Qmp } from "./qmp.ts";

/** https://www.qemu.org/docs/master/devel/migration/main.html, and `MigrationStatus` of the QMP reference. */
type MigrationEnd = "completed" | "failed" | "cancelled";

export interface MigrationOptions {
  /** Leave memory out that lies in a shared file: then only the devices' state is in the stream. */
  readonly ignoreShared: boolean;
}

const restoreTimeoutMs = 120_000;
const saveTimeoutMs = 600_000;

/**
 * Loads a saved state into a QEMU that was started with `-incoming defer` and inherited the state's file; answers when
 * the guest stands there, paused. QEMU ends itself on a state that doesn't fit its devices: `machines.captureFailed`.
 */
export async function restoreState(
  qmp: Qmp,
  inheritedFd: number,
  { ignoreShared }: MigrationOptions,
  signal?: AbortSignal,
): Promise<void> {
  await setCapabilities(qmp, ignoreShared);
  const end = migrationEnd(qmp);
  await qmp.execute("migrate-incoming", { uri: `fd:${String(inheritedFd)}` });
  const how = await withDeadline(
    "Loading the saved state",
    restoreTimeoutMs,
    () => end,
    signal,
  );
  if (how !== "completed")
    throw failed(
      "machines.captureFailed",
      "QEMU could not load the saved state.",
      { remedy: "It may come from another version of QEMU; start it cold." },
    );
}

/**
 * Writes the state of a paused machine into a new file (0600, synced). QEMU 7.2 has no way to write a migration to a
 * named file itself, so the stream comes over a socket. The machine stays paused, its disks let go of until `cont`.
 * Throws `machines.captureFailed` or `host.diskFull`; then there is no file, and the machine is as it was.
 */
export async function saveState(
  qmp: Qmp,
  paths: { readonly file: string; readonly socket: string },
  { ignoreShared }: MigrationOptions,
  signal?: AbortSignal,
): Promise<void> {
  await rm(paths.socket, { force: true });
  const { server, received } = receiveInto(paths.file);
  received.catch(() => undefined);
  try {
    await listen(server, paths.socket);
    await setCapabilities(qmp, ignoreShared);
    const end = migrationEnd(qmp);
    await qmp.execute("migrate", { uri: `unix:${paths.socket}` });
    const how = await withDeadline(
      "Saving the machine's state",
      saveTimeoutMs,
      () => Promise.race([end, received.then(() => end)]),
      signal,
    );
    if (how !== "completed")
      throw failed(
        "machines.captureFailed",
        "QEMU could not save the machine's state.",
        { remedy: "Look into the machine's log for QEMU's words." },
      );
    await received;
    await syncFile(paths.file);
  } catch (error) {
    await qmp.execute("migrate_cancel").catch(() => undefined);
    await rm(paths.file, { force: true });
    if (signal?.aborted === true) throw cancelled();
    throw error;
  } finally {
    server.close();
    await rm(paths.socket, { force: true });
  }
}

/** Data and length of a file are on the disk after this. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.datasync();
  } finally {
    await file.close();
  }
}

async function setCapabilities(qmp: Qmp, ignoreShared: boolean): Promise<void> {
  await qmp.execute("migrate-set-capabilities", {
    capabilities: [
      { capability: "events", state: true },
      { capability: "x-ignore-shared", state: ignoreShared },
    ],
  });
}

function migrationEnd(qmp: Qmp): Promise<MigrationEnd> {
  const { promise, resolve, reject } = promiseWithResolvers<MigrationEnd>();
  const stop = qmp.onEvent(({ event, data }) => {
    if (event !== "MIGRATION") return;
    const status = data["status"];
    if (status === "completed" || status === "failed" || status === "cancelled")
      resolve(status);
  });
  void qmp.closed.then(() =>
    reject(
      failed(
        "machines.captureFailed",
        "QEMU ended while a state was being saved or loaded.",
        {
          remedy:
            "A state fits only the version of QEMU and the devices that it was saved with.",
        },
      ),
    ),
  );
  promise.catch(() => undefined);
  return promise.finally(stop);
}

function receiveInto(file: string): {
  server: Server;
  received: Promise<void>;
} {
  const { promise, resolve, reject } = promiseWithResolvers<void>();
  const server = createServer((socket) => {
    pipeline(
      socket,
      createWriteStream(file, { mode: 0o600, highWaterMark: 1024 * 1024 }),
    ).then(resolve, reject);
  });
  return { server, received: promise };
}

const listen = (server: Server, path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => resolve());
  });
