import { chmod, link, rename, rm } from "node:fs/promises";
import { faultPoint } from "../../base/faultPoint.ts";
import {
  hasErrorCode,
  makePrivateFolder,
  syncFile,
  syncFolder,
} from "../../base/files.ts";
import { failed, GuesthouseError } from "../../protocol/failure.ts";
import { createOverlay } from "../qemu/block.ts";
import { readQcow2Header } from "../qemu/qcow2.ts";
import type { Qmp, QmpRefusal } from "../qemu/qmp.ts";
import type { Layout, MachineFiles } from "../store/layout.ts";
import {
  activeDisk,
  addOverlayNode,
  dropNode,
  nodeOf,
  switchToOverlay,
} from "./diskNodes.ts";
import { fileKey, newLayerId, partOf } from "./layers.ts";

/** Steps of a freeze that a test may end the helper at. */
export const freezeFaults = [
  "freeze.linked",
  "freeze.overlay",
  "freeze.next",
  "freeze.node",
  "freeze.switched",
  "freeze.renamed",
] as const;

export interface FreezeJob {
  readonly layout: Layout;
  readonly files: MachineFiles;
  /** Monitor of the QEMU that writes to the disk; absent for a disk at rest. */
  readonly qmp?: Qmp | undefined;
}

/** A disk that is ready to be frozen at the next moment. */
export interface Freeze {
  /** The layer that will hold what the disk holds at `commit`. */
  readonly layer: string;
  /** From now on the machine writes above the layer; takes some milliseconds. */
  commit(): Promise<void>;
  /** Takes the preparation back; does nothing after `commit`. */
  undo(): Promise<void>;
}

/**
 * Prepares to freeze a machine's disk: the file becomes an immutable layer, by a second name for it, and the machine
 * goes on in an empty overlay above it. Nothing is copied, so the cost does not depend on the disk's size.
 *
 * Steps: name the disk's file `layers/L`; make the overlay, whose header names `layers/L`, as `disk.next`; let QEMU
 * open it; then at `commit` let QEMU write to it and rename it to `disk`. A crash between any two of them is put
 * right by `recoverDisk`. With QEMU gone, `disk.next` is always right as the new `disk`: either QEMU wrote to it, or it is still
 * empty and stands on the very file that QEMU wrote to.
 *
 * QEMU must not know the overlay as `disk.next`. When a node becomes a backing file, it reopens its file read only *by
 * name* (block/file-posix.c, `raw_reconfigure_getfd`), and at the next freeze that name means the next overlay: the
 * disk would stand on itself. So the overlay gets, beside `disk`, the name of the layer that it will be one day, and
 * QEMU opens that one, which stays true for as long as it is open.
 *
 * Throws `machines.captureFailed`, `host.diskFull`, `qemu.monitor`; then nothing has changed.
 */
export async function prepareFreeze(
  { layout, files, qmp }: FreezeJob,
  signal?: AbortSignal,
): Promise<Freeze> {
  await makePrivateFolder(layout.layers);
  await recoverDisk(layout, files, qmp);
  const active = qmp === undefined ? undefined : await activeDisk(qmp, signal);
  const layer = active?.overlay ?? newLayerId();
  const overlay = newLayerId();
  const overlayPart = partOf(files.nextDisk);
  let state: "prepared" | "unsure" | "frozen" = "prepared";
  let added = false;

  const undo = async (): Promise<void> => {
    if (state !== "prepared") return;
    if (qmp !== undefined && added)
      await dropNode(qmp, nodeOf(overlay)).catch((error: unknown) => {
        // A QEMU that is gone has let go of it.
        if (isRefusal(error)) throw error;
      });
    for (const path of [overlayPart, files.nextDisk, layout.layer(overlay)])
      await rm(path, { force: true });
    if (layer !== active?.overlay)
      await rm(layout.layer(layer), { force: true });
  };

  try {
    await nameAsLayer(files.disk, layout.layer(layer));
    faultPoint("freeze.linked");
    await createOverlay(
      {
        path: overlayPart,
        backingPath: layout.layer(layer),
        backingInUse: true,
        sizeBytes: (await readQcow2Header(files.disk)).virtualSizeBytes,
      },
      signal,
    );
    await chmod(overlayPart, 0o600);
    await syncFile(overlayPart);
    faultPoint("freeze.overlay");
    if (qmp !== undefined)
      await nameAsLayer(overlayPart, layout.layer(overlay));
    await rename(overlayPart, files.nextDisk);
    await syncFolder(layout.layers);
    faultPoint("freeze.next");
    if (qmp !== undefined) {
      added = true;
      await addOverlayNode(qmp, overlay, layout.layer(overlay));
      // What the guest has written so far goes to the platter now and not while it stands still.
      await syncFile(files.disk);
    }
    faultPoint("freeze.node");
    signal?.throwIfAborted();
  } catch (error) {
    await undo().catch(() => undefined);
    throw error;
  }

  return {
    layer,
    undo,
    async commit() {
      if (qmp !== undefined && active !== undefined) {
        state = "unsure";
        try {
          await switchToOverlay(qmp, active.node, nodeOf(overlay));
        } catch (error) {
          if (isRefusal(error)) state = "prepared";
          throw error;
        }
        faultPoint("freeze.switched");
      }
      await rename(files.nextDisk, files.disk);
      state = "frozen";
      faultPoint("freeze.renamed");
      await chmod(layout.layer(layer), 0o400);
    },
  };
}

/** Freezes a disk that nobody writes to and answers with the layer. */
export async function freezeAtRest(
  layout: Layout,
  files: MachineFiles,
  signal?: AbortSignal,
): Promise<string> {
  const freeze = await prepareFreeze({ layout, files }, signal);
  await freeze.commit();
  await syncFolder(files.folder);
  return freeze.layer;
}

/**
 * Ends what a crash left of a freeze; before a machine's start and before its next freeze. Give the monitor of a living
 * QEMU: whether it writes to the overlay yet, it alone knows. Undoing is right when it does not, as QEMU knows its disk
 * as `disk` then and must find it there.
 */
export async function recoverDisk(
  layout: Layout,
  files: MachineFiles,
  qmp: Qmp | undefined,
): Promise<void> {
  await rm(partOf(files.nextDisk), { force: true });
  const next = await fileKey(files.nextDisk);
  if (next === undefined) return;
  if (qmp !== undefined) {
    const { overlay, others } = await activeDisk(qmp);
    const isNext = async (id: string): Promise<boolean> =>
      (await fileKey(layout.layer(id))) === next;
    if (overlay === undefined || !(await isNext(overlay))) {
      for (const other of others)
        if (await isNext(other)) {
          await dropNode(qmp, nodeOf(other));
          await rm(layout.layer(other), { force: true });
        }
      await rm(files.nextDisk, { force: true });
      return;
    }
  }
  await rename(files.nextDisk, files.disk);
  await syncFolder(files.folder);
}

async function nameAsLayer(path: string, layer: string): Promise<void> {
  try {
    await link(path, layer);
  } catch (error) {
    if (hasErrorCode(error, "EEXIST")) return;
    if (
      !["EXDEV", "EPERM", "EMLINK", "ENOTSUP", "EOPNOTSUPP"].some((code) =>
        hasErrorCode(error, code),
      )
    )
      throw error;
    throw failed(
      "machines.captureFailed",
      `The disk can't be frozen: the file system of ${path} gives a file no second name (${(error as Error).message}).`,
      {
        remedy:
          "Point GUESTHOUSE_HOME at a folder on a local file system that has hard links, with everything in it.",
        cause: error,
      },
    );
  }
}

const isRefusal = (error: unknown): boolean =>
  error instanceof GuesthouseError &&
  (error.cause as Partial<QmpRefusal> | undefined)?.errorClass !== undefined;
