import { lstat } from "node:fs/promises";
import * as z from "zod";
import { given } from "../../base/given.ts";
import { isMissing } from "../../base/files.ts";
import { bug, failed } from "../../protocol/failure.ts";
import { qemuImg } from "./qemuImg.ts";

/** One file of a disk, as qemu-img describes it. */
export interface DiskImage {
  readonly path: string;
  /** `qcow2`, `raw`, `vmdk`, … */
  readonly format: string;
  readonly virtualSizeBytes: number;
  /** Really allocated on the host. */
  readonly actualSizeBytes: number;
  /** qcow2 only: left open by a crash with lazy reference counts, or marked as damaged. */
  readonly dirty: boolean;
  readonly corrupt: boolean;
  /** The file below, and so on down to the base. */
  readonly backing?: DiskImage;
}

export interface OverlayOptions {
  /** Must not exist yet. */
  readonly path: string;
  /** Absolute path of a qcow2. */
  readonly backingPath: string;
  /** Default: the backing disk's size. */
  readonly sizeBytes?: number;
  /** A machine writes to the backing disk at this moment: it is not looked at, and `sizeBytes` must be given. */
  readonly backingInUse?: boolean;
}

/** Makes an empty qcow2 above another one; takes some milliseconds and 200 KB. Throws as `qemuImg` does. */
export async function createOverlay(
  options: OverlayOptions,
  signal?: AbortSignal,
): Promise<void> {
  // qemu-img would empty an existing disk without asking.
  if (await exists(options.path))
    throw bug(`A new overlay would replace ${options.path}.`);
  await qemuImg(
    [
      ...["create", "-q", "-f", "qcow2"],
      // Written blocks are accounted for by 2 KiB: a clone that touches some files does not copy 64 KiB for each.
      ...["-o", "extended_l2=on"],
      ...(options.backingInUse === true ? ["-u"] : []),
      ...["-F", "qcow2", "-b", options.backingPath],
      options.path,
      ...(options.sizeBytes === undefined ? [] : [String(options.sizeBytes)]),
    ],
    signal,
  );
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

const infoSchema = z
  .array(
    z.object({
      filename: z.string(),
      format: z.string(),
      "virtual-size": z.number(),
      "actual-size": z.number().default(0),
      "dirty-flag": z.boolean().default(false),
      "format-specific": z
        .object({ data: z.object({ corrupt: z.boolean().optional() }) })
        .optional()
        .catch(undefined),
    }),
  )
  .min(1);

/** Describes a disk and everything below it; also of a disk in use. Throws as `qemuImg` does. */
export async function imageInfo(
  path: string,
  signal?: AbortSignal,
): Promise<DiskImage> {
  const output = await qemuImg(
    ["info", "--force-share", "--backing-chain", "--output=json", path],
    signal,
  );
  return parseInfo(output);
}

/** qemu-img's JSON lists the chain from the top down. Pure. */
export function parseInfo(json: string): DiskImage {
  const chain = infoSchema.parse(JSON.parse(json));
  const image = chain.reduceRight<DiskImage | undefined>(
    (backing, file) => ({
      path: file.filename,
      format: file.format,
      virtualSizeBytes: file["virtual-size"],
      actualSizeBytes: file["actual-size"],
      dirty: file["dirty-flag"],
      corrupt: file["format-specific"]?.data.corrupt ?? false,
      ...given({ backing }),
    }),
    undefined,
  );
  if (image === undefined) throw bug("qemu-img described no file.");
  return image;
}

const checkSchema = z.object({
  "check-errors": z.number().default(0),
  corruptions: z.number().default(0),
  leaks: z.number().default(0),
});

/**
 * Checks the structure of a qcow2, vmdk, vhdx or vdi (not what the guest wrote into it); formats without one pass.
 * Leaked clusters cost space only and pass too. Throws `images.broken` when it is damaged. Needs a disk at rest.
 */
export async function checkImage(
  path: string,
  signal?: AbortSignal,
): Promise<void> {
  const { format } = await imageInfo(path, signal);
  if (!checkable.has(format)) return;
  // Exit codes 2 and 3 tell damage and leaks, both with a report on standard output (qemu-img(1)).
  const output = await qemuImg(["check", "--output=json", path], signal, {
    alsoFine: [2, 3],
  });
  const report = checkSchema.parse(JSON.parse(output));
  if (report.corruptions > 0 || report["check-errors"] > 0)
    throw failed(
      "images.broken",
      `The disk image ${path} is damaged: ${String(report.corruptions)} wrong entries, ${String(report["check-errors"])} unreadable ones.`,
      { remedy: "Get the image anew, or delete what stands on it." },
    );
}

const checkable = new Set(["qcow2", "vmdk", "vhdx", "vdi", "qed", "parallels"]);

/** Grows a qcow2 that nobody uses; asking for less than it has is a bug of the caller's. */
export async function resizeDisk(
  path: string,
  sizeBytes: number,
  signal?: AbortSignal,
): Promise<void> {
  const { virtualSizeBytes } = await imageInfo(path, signal);
  if (sizeBytes < virtualSizeBytes)
    throw bug(`A disk can't shrink: ${path} has ${String(virtualSizeBytes)}.`);
  await qemuImg(
    ["resize", "-q", "-f", "qcow2", path, String(sizeBytes)],
    signal,
  );
}

/** Tells an overlay that nobody uses where the disk below it lies now. That it is the same disk is the caller's word. */
export const moveBackingFile = (
  path: string,
  backingPath: string,
  signal?: AbortSignal,
): Promise<unknown> =>
  qemuImg(
    [
      "rebase",
      "-q",
      "-u",
      "-f",
      "qcow2",
      "-F",
      "qcow2",
      "-b",
      backingPath,
      path,
    ],
    signal,
  );

export interface ConvertOptions {
  readonly format: "qcow2" | "raw";
  /** Clusters packed by zstd; qcow2 only. */
  readonly compress?: boolean;
  /** Default: found out from the file's content, which only a trusted file should be asked for. */
  readonly sourceFormat?: string;
  /** Called with 0..1. */
  readonly onProgress?: (fraction: number) => void;
}

/**
 * Writes `source`, with everything below it, as one new file. The target is replaced if it exists, and is left
 * incomplete on failure or abort: write to a scratch path. Throws as `qemuImg` does.
 */
export async function convertImage(
  source: string,
  target: string,
  options: ConvertOptions,
  signal?: AbortSignal,
): Promise<void> {
  const { format, sourceFormat, onProgress } = options;
  await qemuImg(
    [
      ...["convert", "-p", "-O", format],
      // Out of order and in parallel: compression of a cluster doesn't wait for the one before it.
      ...["-m", "8", "-W"],
      ...(sourceFormat === undefined ? [] : ["-f", sourceFormat]),
      ...(options.compress === true
        ? ["-c", "-o", "compression_type=zstd"]
        : []),
      source,
      target,
    ],
    signal,
    {
      onOutput: (chunk) => {
        const fraction = parseProgress(chunk);
        if (fraction !== undefined) onProgress?.(fraction);
      },
    },
  );
}

/** The last `    (12.34/100%)` of a piece of qemu-img's output, as 0..1. Pure. */
export function parseProgress(chunk: string): number | undefined {
  const last = [...chunk.matchAll(/\(\s*([\d.]+)\/100%\)/g)].at(-1)?.[1];
  return last === undefined ? undefined : Number(last) / 100;
}
