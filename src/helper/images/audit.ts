import { stat } from "node:fs/promises";
import { GuesthouseError } from "../../protocol/failure.ts";
import type { ImageCheck, ImageReport } from "../../protocol/images.ts";
import { checkImage } from "../qemu/block.ts";
import type { ImageFiles } from "../store/layout.ts";
import { fileDigest } from "./checksums.ts";
import type { OnProgress } from "./made.ts";
import type { StoredImage } from "./store.ts";
import { reportOf, validateFacts } from "./validate.ts";
import { check, error, ok } from "./verdict.ts";

const again = "Make the image anew (pull it again with force).";

/** Looks at an image in the store again: its files byte for byte, and the recorded facts by today's rules. */
export async function auditImage(
  { record, facts }: StoredImage,
  files: ImageFiles,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<ImageReport> {
  const { directBoot } = record;
  const checks: ImageCheck[] = [
    await contents(
      "disk.digest",
      "Disk contents",
      files.disk,
      record.digest.replace("sha256:", ""),
      onProgress,
      signal,
    ),
    await structure(files.disk, signal),
    ...(directBoot === undefined
      ? []
      : [
          await contents(
            "kernel.digest",
            "Kernel file",
            files.kernel,
            directBoot.kernelSha256,
            onProgress,
            signal,
          ),
        ]),
    ...(directBoot?.initrdSha256 === undefined
      ? []
      : [
          await contents(
            "initrd.digest",
            "Initial file system",
            files.initrd,
            directBoot.initrdSha256,
            onProgress,
            signal,
          ),
        ]),
    ...(facts === undefined
      ? []
      : validateFacts(
          facts,
          directBoot === undefined
            ? {}
            : { kernelArguments: directBoot.kernelArguments },
        )),
  ];
  return reportOf(checks, new Date());
}

async function contents(
  id: string,
  title: string,
  path: string,
  sha256: string,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<ImageCheck> {
  try {
    const totalBytes = (await stat(path)).size;
    const actual = await fileDigest(
      path,
      "sha256",
      (bytes) =>
        onProgress({ stage: "validate", detail: title, bytes, totalBytes }),
      signal,
    );
    return check(
      id,
      title,
      actual === sha256
        ? ok("unchanged.")
        : error("The file changed since the image was made.", again),
    );
  } catch (cause) {
    signal.throwIfAborted();
    return check(
      id,
      title,
      error(
        `The file can't be read: ${cause instanceof Error ? cause.message : String(cause)}.`,
        again,
      ),
    );
  }
}

async function structure(
  path: string,
  signal: AbortSignal,
): Promise<ImageCheck> {
  try {
    await checkImage(path, signal);
    return check("disk.structure", "Disk structure", ok("intact."));
  } catch (cause) {
    signal.throwIfAborted();
    // A missing tool says nothing about the image.
    if (
      !(cause instanceof GuesthouseError) ||
      cause.failure.code !== "images.broken"
    )
      throw cause;
    return check(
      "disk.structure",
      "Disk structure",
      error(cause.failure.message, again),
    );
  }
}
