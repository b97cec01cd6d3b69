import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { given } from "../../../base/given.ts";
import { refused } from "../../../protocol/failure.ts";
import { checkImage, imageInfo } from "../../qemu/block.ts";
import type { Layout } from "../../store/layout.ts";
import { type ImageManifest, unpackArchive } from "./archive.ts";
import { parseChecksum, verifyFile } from "../../net/checksums.ts";
import { probeDiskFormat } from "../disks/diskFormat.ts";
import { inWorkFolder, takeIn } from "../golden/finish.ts";
import type { OnProgress } from "../golden/made.ts";
import type { ImageStore, StoredImage } from "../golden/store.ts";

export interface ArchiveImport {
  readonly name: string;
  readonly path: string;
  /** Of the whole file. */
  readonly checksum?: string | undefined;
  readonly manifest: ImageManifest;
}

/**
 * Takes an exported image in: unpacked into a scratch folder by names of ours, each file by its digest, the disk looked at
 * as any foreign one, before anything of it is in the store. Refuses with `images.digestMismatch`, `images.broken` and
 * `images.invalid`.
 */
export async function importArchive(
  { layout, store }: { readonly layout: Layout; readonly store: ImageStore },
  { name, path, checksum, manifest }: ArchiveImport,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<StoredImage> {
  if (checksum !== undefined) {
    const totalBytes = (await stat(path)).size;
    await verifyFile(
      { path, expected: parseChecksum(checksum), what: basename(path) },
      (bytes) => onProgress({ stage: "verify", bytes, totalBytes }),
      signal,
    );
  }
  return inWorkFolder(layout, name, async (folder) => {
    const files = await unpackArchive(
      { path, manifest },
      folder,
      onProgress,
      signal,
    );
    const diskPath = files["disk.qcow2"] ?? "";
    await demandPlainDisk(diskPath, signal);
    const { kernelArguments, source } = manifest;
    return takeIn(
      store,
      {
        folder,
        intent: {
          name,
          title: manifest.title,
          architecture: manifest.architecture,
          defaultUser: manifest.defaultUser,
          expectedBootSeconds: manifest.expectedBootSeconds,
          defaults: manifest.defaults,
          source:
            source.kind === "prebuild"
              ? // No file from elsewhere speaks of a folder of this computer.
                { ...source, workspace: undefined }
              : { kind: "imported", path, format: "guesthouse" },
        },
        made: {
          diskPath,
          facts: manifest.facts,
          ...given({
            kernelArguments,
            kernelPath: files.kernel,
            initrdPath: files.initrd,
          }),
        },
      },
      onProgress,
      signal,
    );
  });
}

const maxVirtualSizeBytes = 8 * 2 ** 40;

/** One qcow2 that stands alone, whole, and no larger than any disk. */
async function demandPlainDisk(
  path: string,
  signal: AbortSignal,
): Promise<void> {
  // By its own marks first: it must not name other files of this host when a tool opens it.
  const format = await probeDiskFormat(path);
  if (format === "qcow2") {
    await checkImage(path, signal);
    const info = await imageInfo(path, signal);
    if (
      info.format === "qcow2" &&
      info.backing === undefined &&
      info.virtualSizeBytes <= maxVirtualSizeBytes
    )
      return;
  }
  throw refused("images.invalid", "The export's disk is no plain qcow2.", {
    remedy: "Export the image again where it comes from.",
  });
}
