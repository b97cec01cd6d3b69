import { join } from "node:path";
import { makePrivateFolder } from "../../../base/files.ts";
import type { ImageReport } from "../../../protocol/images.ts";
import { imageInfo } from "../../qemu/block.ts";
import { type ImageIntent, inWorkFolder } from "../golden/finish.ts";
import { importDisk, type DiskImport } from "../disks/import.ts";
import type { DiskIntent, Maker } from "../catalog/make.ts";
import type { OnProgress } from "../golden/made.ts";
import type { StoredImage } from "../golden/store.ts";
import { reportOf } from "../disks/validate.ts";
import { check, warning } from "../disks/verdict.ts";

/**
 * Takes a disk with Windows as it is: nothing here starts or prepares it, and what is in it is its owner's word. Throws as
 * `importDisk` does.
 */
export function takeInWindowsDisk(
  { layout, store }: Pick<Maker, "layout" | "store">,
  intent: Omit<ImageIntent, "source" | "os"> &
    Pick<DiskIntent, "source"> & {
      readonly generalized: boolean;
      readonly disk: Omit<DiskImport, "target" | "name" | "os">;
    },
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<StoredImage> {
  const { name, title, architecture, defaultUser, expectedBootSeconds } =
    intent;
  return inWorkFolder(layout, name, async (folder) => {
    const finished = join(folder, "finished");
    await makePrivateFolder(finished);
    const target = join(finished, "disk.qcow2");
    const { format } = await importDisk(
      { ...intent.disk, name, target, os: "windows" },
      onProgress,
      signal,
    );
    const { virtualSizeBytes } = await imageInfo(target, signal);
    return store.commit(
      {
        folder: finished,
        record: {
          ...{ name, title, architecture, defaultUser, expectedBootSeconds },
          os: "windows",
          ...(intent.generalized ? { generalized: true } : {}),
          source: intent.source(format),
          createdAt: new Date().toISOString(),
          virtualSizeBytes,
        },
        report: unverified(new Date()),
      },
      (bytes) => onProgress({ stage: "validate", bytes }),
      signal,
    );
  });
}

/** Nobody has looked into it. */
const unverified = (at: Date): ImageReport =>
  reportOf(
    [
      check(
        "windows.prepared",
        "Prepared",
        warning(
          "it was imported as it is. Its machines are reached only if QEMU's guest agent (with the driver vioserial) and OpenSSH's server run in it and the firewall lets port 22 in.",
          "Install both in it before you import it.",
        ),
      ),
    ],
    at,
  );
