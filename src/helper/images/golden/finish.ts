import { randomBytes } from "node:crypto";
import { readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { makePrivateFolder } from "../../../base/files.ts";
import { given } from "../../../base/given.ts";
import type { Log } from "../../../base/log.ts";
import { failed } from "../../../protocol/failure.ts";
import type { Architecture, ImageSource } from "../../../protocol/images.ts";
import { imageInfo } from "../../qemu/block.ts";
import type { Layout } from "../../store/layout.ts";
import { run } from "../tools/command.ts";
import { isolated } from "../tools/namespace.ts";
import { asDiskFailure } from "../../store/diskSpace.ts";
import type { ImageDefaults } from "./defaults.ts";
import type { MadeImage, OnProgress } from "./made.ts";
import type { ImageStore, StoredImage } from "./store.ts";
import { reasonsAgainst, reportOf, validateFacts } from "../disks/validate.ts";

/** What a new image is called and said to be. */
export interface ImageIntent {
  readonly name: string;
  readonly title: string;
  readonly architecture: Architecture;
  readonly defaultUser: string;
  readonly expectedBootSeconds: number;
  readonly defaults?: ImageDefaults | undefined;
  readonly source: ImageSource;
}

/** The parts of a new image and where they lie. */
export interface NewImage {
  readonly intent: ImageIntent;
  readonly made: MadeImage;
  /** The work folder, on the store's file system. */
  readonly folder: string;
  /** Called with parts that are usable, before they are moved away. */
  readonly beforeMove?: (made: MadeImage) => Promise<void>;
}

/** Judges the parts and moves them into the store; `images.invalid` with the reasons when they are not usable. */
export async function takeIn(
  store: ImageStore,
  { intent, made, folder, beforeMove }: NewImage,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<StoredImage> {
  onProgress({ stage: "validate" });
  const { kernelArguments } = made;
  const now = new Date();
  const report = reportOf(
    validateFacts(
      made.facts,
      kernelArguments === undefined ? {} : { kernelArguments },
    ),
    now,
  );
  if (!report.usable)
    throw failed(
      "images.invalid",
      `${intent.name} can't be used. ${reasonsAgainst(report)}`,
      {
        remedy:
          report.checks.find(({ outcome }) => outcome === "error")?.remedy ??
          "Make the image anew.",
      },
    );
  await beforeMove?.(made);
  const { virtualSizeBytes } = await imageInfo(made.diskPath, signal);
  const finished = join(folder, "finished");
  await makePrivateFolder(finished);
  await rename(made.diskPath, join(finished, "disk.qcow2"));
  if (made.kernelPath !== undefined)
    await rename(made.kernelPath, join(finished, "kernel"));
  if (made.initrdPath !== undefined)
    await rename(made.initrdPath, join(finished, "initrd"));
  return store.commit(
    {
      folder: finished,
      record: {
        name: intent.name,
        title: intent.title,
        architecture: intent.architecture,
        source: intent.source,
        createdAt: now.toISOString(),
        virtualSizeBytes,
        defaultUser: intent.defaultUser,
        expectedBootSeconds: intent.expectedBootSeconds,
        ...given({ defaults: intent.defaults }),
        kernelArguments,
      },
      report,
      facts: made.facts,
    },
    (bytes) => onProgress({ stage: "validate", bytes }),
    signal,
  );
}

/** A scratch folder for one job. Whatever happens, nothing of it stays. */
export async function inWorkFolder<T>(
  layout: Layout,
  name: string,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = join(layout.work, `${name}-${randomBytes(4).toString("hex")}`);
  try {
    await makePrivateFolder(folder);
    return await work(folder);
  } catch (error) {
    throw asDiskFailure(error, layout.home, `making image ${name}`);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Removes what an earlier helper left half done. */
export async function clearWorkFolders(
  layout: Layout,
  log: Log,
): Promise<void> {
  for (const name of await readdir(layout.work).catch(() => [])) {
    const path = join(layout.work, name);
    try {
      await rm(path, { recursive: true, force: true, maxRetries: 3 });
    } catch {
      // A rootless build that was killed leaves files of subordinate ids, which only its namespace may remove.
      await run(
        isolated("user", { file: "rm", args: ["-rf", "--", path] }),
        AbortSignal.timeout(60_000),
      ).catch((error: unknown) =>
        log.warn("a work folder can't be removed", { folder: name, error }),
      );
    }
  }
}
