import { stat } from "node:fs/promises";
import { GuesthouseError } from "../../../protocol/failure.ts";
import type { ImageCheck, ImageReport } from "../../../protocol/images.ts";
import { checkImage } from "../../qemu/block.ts";
import type { ImageFiles } from "../../store/layout.ts";
import { fileDigest } from "../../net/checksums.ts";
import type { OnProgress } from "./made.ts";
import type { StoredImage } from "./store.ts";
import { reportOf, validateFacts } from "../disks/validate.ts";
import { check, error, ok } from "../disks/verdict.ts";

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
      {
        ...{ id: "disk.digest", title: "Disk contents", path: files.disk },
        sha256: record.digest.replace("sha256:", ""),
      },
      onProgress,
      signal,
    ),
    await structure(files.disk, signal),
    ...(directBoot === undefined
      ? []
      : [
          await contents(
            {
              ...{ id: "kernel.digest", title: "Kernel file" },
              ...{ path: files.kernel, sha256: directBoot.kernelSha256 },
            },
            onProgress,
            signal,
          ),
        ]),
    ...(directBoot?.initrdSha256 === undefined
      ? []
      : [
          await contents(
            {
              ...{ id: "initrd.digest", title: "Initial file system" },
              ...{ path: files.initrd, sha256: directBoot.initrdSha256 },
            },
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

interface ExpectedFile {
  readonly id: string;
  readonly title: string;
  readonly path: string;
  readonly sha256: string;
}

async function contents(
  { id, title, path, sha256 }: ExpectedFile,
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
