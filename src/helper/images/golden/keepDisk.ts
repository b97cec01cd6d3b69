import { constants } from "node:fs";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { faultPoint } from "../../../base/faultPoint.ts";
import type { ImageSource } from "../../../protocol/images.ts";
import { convertImage, imageInfo, type DiskImage } from "../../qemu/block.ts";
import type { Layout } from "../../store/layout.ts";
import { requireSpace } from "../../store/diskSpace.ts";
import type { ImageFacts } from "../disks/facts.ts";
import { inWorkFolder, takeIn } from "./finish.ts";
import type { OnProgress } from "./made.ts";
import type { ImageRecord, ImageStore, StoredImage } from "./store.ts";

/** A machine's disk that is to become an image of its own. */
export interface DiskToKeep {
  readonly name: string;
  readonly title: string;
  /** At rest; everything that it stands on goes in, so that the image stands alone. */
  readonly diskPath: string;
  /** Digest of the image that the machine was made of, whose kernel starts this one too. */
  readonly base: string;
  readonly defaultUser: string;
  readonly source: ImageSource;
  /** As found in the guest before it was switched off. */
  readonly facts: ImageFacts;
}

/** Steps of keeping a disk that a test may end the helper at. */
export const keepFaults = ["prebuild.packed", "prebuild.kept"] as const;

/** Packs the disk into one file and takes that in; throws as `takeIn`, `host.diskFull` and what qemu-img throws. */
export async function keepDisk(
  { layout, store }: { readonly layout: Layout; readonly store: ImageStore },
  { disk, base }: { readonly disk: DiskToKeep; readonly base: ImageRecord },
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<StoredImage> {
  const { directBoot, architecture, expectedBootSeconds } = base;
  const kept = await inWorkFolder(layout, disk.name, async (folder) => {
    const info = await imageInfo(disk.diskPath, signal);
    await requireSpace(folder, packedBytes(info), `Keeping ${disk.name}`);
    onProgress({ stage: "pack", fraction: 0 });
    const diskPath = join(folder, "packed.qcow2");
    await convertImage(
      disk.diskPath,
      diskPath,
      {
        format: "qcow2",
        sourceFormat: "qcow2",
        compress: true,
        onProgress: (fraction) => onProgress({ stage: "pack", fraction }),
      },
      signal,
    );
    faultPoint("prebuild.packed");
    const of = layout.image(disk.base);
    const take = async (path: string, name: string): Promise<string> => {
      const target = join(folder, name);
      await copyFile(path, target, constants.COPYFILE_FICLONE);
      return target;
    };
    return takeIn(
      store,
      {
        folder,
        intent: {
          name: disk.name,
          title: disk.title,
          architecture,
          defaultUser: disk.defaultUser,
          expectedBootSeconds,
          defaults: base.defaults,
          source: disk.source,
        },
        made: {
          diskPath,
          facts: disk.facts,
          ...(directBoot === undefined
            ? {}
            : {
                kernelArguments: directBoot.kernelArguments,
                kernelPath: await take(of.kernel, "base-kernel"),
                ...(directBoot.initrdSha256 === undefined
                  ? {}
                  : { initrdPath: await take(of.initrd, "base-initrd") }),
              }),
        },
      },
      onProgress,
      signal,
    );
  });
  faultPoint("prebuild.kept");
  return kept;
}

/** About: what the guest wrote packs to a half, what is below is packed already. */
function packedBytes({ actualSizeBytes, backing }: DiskImage): number {
  return (
    actualSizeBytes / 2 + (backing === undefined ? 0 : packedBytes(backing))
  );
}
