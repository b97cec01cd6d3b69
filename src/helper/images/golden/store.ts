import { chmod, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as z from "zod";
import { given } from "../../../base/given.ts";
import {
  hasErrorCode,
  isMissing,
  makePrivateFolder,
} from "../../../base/files.ts";
import { readJson, writeJson } from "../../../base/jsonFile.ts";
import type { Log } from "../../../base/log.ts";
import { KeyedMutex } from "../../../base/mutex.ts";
import {
  type ImageReport,
  architectures,
  guestSystems,
  imageReportSchema,
  imageSourceSchema,
} from "../../../protocol/images.ts";
import type { ImageFiles, Layout } from "../../store/layout.ts";
import { fileDigest } from "../../net/checksums.ts";
import { type ImageFacts, imageFactsSchema } from "../disks/facts.ts";
import { imageDefaultsSchema } from "./defaults.ts";

const digestPattern = /^sha256:[0-9a-f]{64}$/;

/** `image.json`: what an image is. Never changes after it was written. */
const imageRecordSchema = z.object({
  version: z.literal(1),
  digest: z.string().regex(digestPattern),
  /** The name that it was made under; a name's other digests are its superseded ones. */
  name: z.string(),
  title: z.string(),
  architecture: z.enum(architectures),
  /** Absent: Linux, as in records of before. */
  os: z.enum(guestSystems).optional(),
  /** Windows that takes on an identity at its first start, by a seed. */
  generalized: z.literal(true).optional(),
  source: imageSourceSchema,
  createdAt: z.iso.datetime(),
  virtualSizeBytes: z.number(),
  defaultUser: z.string(),
  expectedBootSeconds: z.number(),
  defaults: imageDefaultsSchema.optional(),
  /** Present for a direct boot; digests of the files beside the disk. */
  directBoot: z
    .object({
      kernelArguments: z.string(),
      kernelSha256: z.string(),
      initrdSha256: z.string().optional(),
    })
    .optional(),
});
export type ImageRecord = z.infer<typeof imageRecordSchema>;

/** `report.json`: the last judgement and what it was made of. */
const reportFileSchema = z.object({
  report: imageReportSchema,
  facts: imageFactsSchema.optional(),
});

const namesSchema = z.object({
  version: z.literal(1),
  names: z.record(z.string(), z.string().regex(digestPattern)),
});

/** A finished image, ready to be taken in. All files lie in one folder of the store's file system. */
export interface FinishedImage {
  /** Holds `disk.qcow2` and for a direct boot `kernel` and perhaps `initrd`, named as in the layout. */
  readonly folder: string;
  readonly record: Omit<ImageRecord, "version" | "digest" | "directBoot"> & {
    readonly kernelArguments?: string | undefined;
  };
  readonly report: ImageReport;
  readonly facts?: ImageFacts | undefined;
}

export interface StoredImage {
  readonly record: ImageRecord;
  readonly report: ImageReport;
  readonly facts?: ImageFacts;
  /** Really used on this host, all files. */
  readonly sizeBytes: number;
}

/** Images on disk: one folder a digest, and a file that says which digest a name means. */
export interface ImageStore {
  /** What names mean, and everything that is here, by digest. */
  readonly names: () => ReadonlyMap<string, string>;
  readonly images: () => ReadonlyMap<string, StoredImage>;
  /** Takes a finished image in and points its name to it, in one step each. */
  readonly commit: (
    finished: FinishedImage,
    onProgress?: (bytes: number) => void,
    signal?: AbortSignal,
  ) => Promise<StoredImage>;
  readonly setReport: (digest: string, report: ImageReport) => Promise<void>;
  readonly forgetName: (name: string) => Promise<void>;
  /** Answers with the bytes freed. */
  readonly drop: (digest: string) => Promise<number>;
}

/**
 * Opens the store. A lost or broken `names.json` is made anew from the records; a folder whose record can't be read is
 * left alone and reported in the log, as a machine may stand on its disk.
 */
export async function openStore(layout: Layout, log: Log): Promise<ImageStore> {
  await makePrivateFolder(layout.images);
  const images = await readImages(layout, log);
  const names = await readNames(layout, images, log);
  const mutex = new KeyedMutex();
  const saveNames = (): Promise<void> =>
    writeJson(layout.imageNames, {
      version: 1,
      names: Object.fromEntries([...names].sort()),
    });
  const exclusively = <T>(work: () => Promise<T>): Promise<T> =>
    mutex.run("names", work);

  return {
    names: () => names,
    images: () => images,
    commit: async (finished, onProgress, signal) => {
      const record = await recordOf(finished, onProgress, signal);
      const files = layout.image(record.digest);
      await sealFolder(finished, record);
      return exclusively(async () => {
        signal?.throwIfAborted();
        await takeIn(finished.folder, files);
        const stored = await readImage(files);
        images.set(record.digest, stored);
        names.set(record.name, record.digest);
        await saveNames();
        return stored;
      });
    },
    setReport: async (digest, report) => {
      const stored = images.get(digest);
      if (stored === undefined) return;
      await writeJson(layout.image(digest).report, {
        report,
        ...given({ facts: stored.facts }),
      });
      images.set(digest, { ...stored, report });
    },
    forgetName: (name) =>
      exclusively(async () => {
        if (names.delete(name)) await saveNames();
      }),
    drop: (digest) =>
      exclusively(async () => {
        const freed = images.get(digest)?.sizeBytes ?? 0;
        images.delete(digest);
        await removeFolder(layout.image(digest).folder);
        return freed;
      }),
  };
}

async function recordOf(
  { folder, record }: FinishedImage,
  onProgress: ((bytes: number) => void) | undefined,
  signal: AbortSignal | undefined,
): Promise<ImageRecord> {
  const { kernelArguments, ...rest } = record;
  const hex = await fileDigest(
    join(folder, "disk.qcow2"),
    "sha256",
    onProgress,
    signal,
  );
  const digest = `sha256:${hex}`;
  if (kernelArguments === undefined) return { version: 1, digest, ...rest };
  const initrd = join(folder, "initrd");
  const hasInitrd = await stat(initrd).then(
    () => true,
    () => false,
  );
  return {
    version: 1,
    digest,
    ...rest,
    directBoot: {
      kernelArguments,
      kernelSha256: await fileDigest(join(folder, "kernel"), "sha256"),
      ...(hasInitrd
        ? { initrdSha256: await fileDigest(initrd, "sha256") }
        : {}),
    },
  };
}

/** Everything is written and nobody writes to it any more: clones stand on these bytes. */
async function sealFolder(
  { folder, report, facts }: FinishedImage,
  record: ImageRecord,
): Promise<void> {
  await chmod(folder, 0o700);
  for (const name of ["disk.qcow2", "kernel", "initrd"])
    await chmod(join(folder, name), 0o400).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
  await writeJson(join(folder, "report.json"), {
    report,
    ...given({ facts }),
  });
  await writeJson(join(folder, "image.json"), record);
}

/**
 * One rename makes the image appear whole. The same content again replaces the files one by one, which heals damaged
 * ones and is never felt by a machine that stands on them.
 */
async function takeIn(folder: string, files: ImageFiles): Promise<void> {
  await mkdir(dirname(files.folder), { recursive: true, mode: 0o700 });
  try {
    await rename(folder, files.folder);
  } catch (error) {
    // Windows says EPERM for a folder in the way.
    if (
      !["ENOTEMPTY", "EEXIST", "EPERM"].some((code) =>
        hasErrorCode(error, code),
      )
    )
      throw error;
    for (const name of await readdir(folder))
      await rename(join(folder, name), join(files.folder, name));
    await removeFolder(folder);
  }
}

async function removeFolder(folder: string): Promise<void> {
  // Windows doesn't delete read-only files.
  if (process.platform === "win32")
    for (const name of await readdir(folder).catch(() => []))
      await chmod(join(folder, name), 0o600).catch(() => undefined);
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}

async function readImages(
  layout: Layout,
  log: Log,
): Promise<Map<string, StoredImage>> {
  const images = new Map<string, StoredImage>();
  for (const entry of await readdir(layout.images, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const digest = entry.name.replace("sha256-", "sha256:");
    if (!digestPattern.test(digest)) continue;
    try {
      const stored = await readImage(layout.image(digest));
      if (stored.record.digest !== digest)
        throw new Error("its record names another digest");
      images.set(digest, stored);
    } catch (error) {
      log.error("image left out: its record can't be read", { digest, error });
    }
  }
  return images;
}

async function readImage(files: ImageFiles): Promise<StoredImage> {
  const record = await readJson(files.record, (value) =>
    imageRecordSchema.parse(value),
  );
  if (record.kind !== "read")
    throw new Error(record.kind === "corrupt" ? record.reason : "missing");
  const judged = await readJson(files.report, (value) =>
    reportFileSchema.parse(value),
  );
  const { report, facts } =
    judged.kind === "read"
      ? judged.value
      : {
          report: {
            checkedAt: record.value.createdAt,
            usable: true,
            checks: [],
          },
          facts: undefined,
        };
  return {
    record: record.value,
    report,
    ...given({ facts }),
    sizeBytes: await folderSize(files.folder),
  };
}

/** Allocated bytes; a sparse disk is smaller than its length says. */
async function folderSize(folder: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(folder)) {
    const { blocks, size } = await stat(join(folder, name));
    bytes += process.platform === "win32" ? size : blocks * 512;
  }
  return bytes;
}

async function readNames(
  layout: Layout,
  images: ReadonlyMap<string, StoredImage>,
  log: Log,
): Promise<Map<string, string>> {
  const read = await readJson(layout.imageNames, (value) =>
    namesSchema.parse(value),
  );
  if (read.kind === "read")
    return new Map(
      Object.entries(read.value.names).filter(([, digest]) =>
        images.has(digest),
      ),
    );
  if (images.size > 0)
    log.warn("names of images made anew from their records", {
      reason: read.kind === "corrupt" ? read.reason : "missing",
    });
  const oldestFirst = [...images.values()].sort((a, b) =>
    a.record.createdAt.localeCompare(b.record.createdAt),
  );
  return new Map(oldestFirst.map(({ record }) => [record.name, record.digest]));
}
