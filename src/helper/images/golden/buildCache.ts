import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { copyFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import {
  hasErrorCode,
  isMissing,
  makePrivateFolder,
} from "../../../base/files.ts";
import { readJson, writeJson } from "../../../base/jsonFile.ts";
import type { Log } from "../../../base/log.ts";
import { fileDigest } from "../../net/checksums.ts";
import { imageFactsSchema } from "../disks/facts.ts";
import type { MadeImage } from "./made.ts";

const entrySchema = z.object({
  version: z.literal(1),
  diskSha256: z.string(),
  kernelArguments: z.string().optional(),
  initrd: z.boolean(),
  facts: imageFactsSchema,
});

/**
 * Finished builds that several data folders share (`GUESTHOUSE_IMAGE_CACHE`), each in a folder named by the key of its
 * inputs. Never trusted blindly: a damaged entry is passed over and made anew.
 */
export interface BuildCache {
  /** Copies an entry into `folder`, by reference where the file system can. Undefined when there is none. */
  readonly fetch: (
    key: string,
    folder: string,
    signal: AbortSignal,
  ) => Promise<MadeImage | undefined>;
  /** Keeps a copy. A full cache disk is no reason to fail a build. */
  readonly keep: (key: string, made: MadeImage) => Promise<void>;
}

export function openBuildCache(
  folder: string | undefined,
  log: Log,
): BuildCache {
  if (folder === undefined || folder === "")
    return {
      fetch: () => Promise.resolve(undefined),
      keep: () => Promise.resolve(),
    };
  return {
    fetch: async (key, target, signal) => {
      try {
        return await fetchEntry(join(folder, key), target, signal);
      } catch (error) {
        signal.throwIfAborted();
        log.warn("cached build can't be used", { key, error });
        return undefined;
      }
    },
    keep: async (key, made) => {
      const temporary = join(
        folder,
        `.${key}.${randomBytes(4).toString("hex")}`,
      );
      try {
        await keepEntry(temporary, join(folder, key), made);
      } catch (error) {
        log.warn("build not kept in the cache", { key, error });
      } finally {
        await rm(temporary, { recursive: true, force: true });
      }
    },
  };
}

async function fetchEntry(
  entry: string,
  target: string,
  signal: AbortSignal,
): Promise<MadeImage | undefined> {
  const read = await readJson(join(entry, "build.json"), (value) =>
    entrySchema.parse(value),
  );
  if (read.kind === "missing") return undefined;
  if (read.kind === "corrupt") throw new Error(read.reason);
  const { diskSha256, kernelArguments, initrd, facts } = read.value;
  const fetchFile = async (name: string): Promise<string> => {
    const path = join(target, name);
    await rm(path, { force: true });
    await copyFile(join(entry, name), path, constants.COPYFILE_FICLONE);
    return path;
  };
  const diskPath = await fetchFile("disk.qcow2");
  if ((await fileDigest(diskPath, "sha256", undefined, signal)) !== diskSha256)
    throw new Error("the cached disk is damaged");
  return {
    diskPath,
    facts,
    ...(kernelArguments === undefined
      ? {}
      : { kernelArguments, kernelPath: await fetchFile("kernel") }),
    ...(initrd ? { initrdPath: await fetchFile("initrd") } : {}),
  };
}

async function keepEntry(
  temporary: string,
  entry: string,
  made: MadeImage,
): Promise<void> {
  await makePrivateFolder(temporary);
  const files = [
    ["disk.qcow2", made.diskPath],
    ["kernel", made.kernelPath],
    ["initrd", made.initrdPath],
  ] as const;
  for (const [name, path] of files)
    if (path !== undefined)
      await copyFile(path, join(temporary, name), constants.COPYFILE_FICLONE);
  await writeJson(join(temporary, "build.json"), {
    version: 1,
    diskSha256: await fileDigest(join(temporary, "disk.qcow2"), "sha256"),
    kernelArguments: made.kernelArguments,
    initrd: made.initrdPath !== undefined,
    facts: made.facts,
  } satisfies Record<keyof z.infer<typeof entrySchema>, unknown>);
  try {
    await rename(temporary, entry);
  } catch (error) {
    const taken =
      hasErrorCode(error, "ENOTEMPTY") || hasErrorCode(error, "EEXIST");
    if (!taken) throw error;
    // Somebody else finished the same build first, or a damaged entry is in the way.
    const old = `${temporary}.old`;
    await rename(entry, old).catch((gone: unknown) => {
      if (!isMissing(gone)) throw gone;
    });
    await rename(temporary, entry);
    await rm(old, { recursive: true, force: true });
  }
}
