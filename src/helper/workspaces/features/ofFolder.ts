import { readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isMissing, replaceFile } from "../../../base/files.ts";
import { visible } from "../../../base/visible.ts";
import { refused } from "../../../protocol/failure.ts";
import { insideFolder } from "../devcontainer/find.ts";
import type { Devcontainer } from "../devcontainer/model.ts";
import type { Configuration } from "../devcontainer/read.ts";
import { filesOf } from "../known/source.ts";
import { engineFeature } from "./engine.ts";
import { type FetchDeps, fetchFeatures } from "./fetch.ts";
import {
  type LockEntry,
  lockKey,
  lockPath,
  parseLock,
  type Pins,
  renderLock,
} from "./lock.ts";
import { noFeatures, type Resolution, resolveFeatures } from "./resolve.ts";

/** What a VM was made with: reference, in lower case → digest. */
export type KeptPins = Readonly<Record<string, string>>;

const largestLockBytes = 1024 * 1024;

export interface FolderFeatures {
  readonly file: Pick<Devcontainer, "features" | "overrideFeatureInstallOrder">;
  readonly kept: KeptPins;
  /** The product's `resources/`, where the VM is to get a container engine of them. */
  readonly engineOf?: string | undefined;
}

/**
 * The features of a folder's file, its variables filled in. The folder's lockfile says which they are; then what its VM was
 * made with (`kept`): as with containers, a feature whose version moved on comes with a rebuild.
 */
export async function featuresOfFolder(
  configuration: Pick<Configuration, "folder" | "path" | "tree">,
  { file, kept, engineOf }: FolderFeatures,
  deps: FetchDeps,
  signal: AbortSignal,
): Promise<Resolution> {
  const found = await writtenFeatures(
    configuration,
    { file, kept },
    deps,
    signal,
  );
  return engineOf === undefined
    ? found
    : {
        ...found,
        // Others may need it, none is needed by it.
        features: [await engineFeature(engineOf), ...found.features],
      };
}

/** Those that the file names, and what they need. */
async function writtenFeatures(
  configuration: Pick<Configuration, "folder" | "path" | "tree">,
  { file, kept }: FolderFeatures,
  deps: FetchDeps,
  signal: AbortSignal,
): Promise<Resolution> {
  const { features = {}, overrideFeatureInstallOrder = [] } = file;
  if (Object.keys(features).length === 0) return noFeatures;
  const { path = "" } = configuration;
  const folder = await filesOf(configuration, signal);
  const locked = await readLock(folder, path);
  const resolution = await resolveFeatures(
    features,
    overrideFeatureInstallOrder,
    new Map([...Object.entries(kept), ...(locked ?? [])]),
    fetchFeatures(deps, folder, path, signal),
  );
  const keys = new Set([...resolution.lock.keys()].map(lockKey));
  const unlocked = [...keys].filter((key) => locked?.has(key) === false).sort();
  const gone = Object.keys(kept).filter((key) => !keys.has(key));
  const names = (some: readonly string[]): string => visible(some.join(", "));
  return {
    ...resolution,
    notes: [
      ...resolution.notes,
      ...(unlocked.length === 0
        ? []
        : [
            `${lockPath(path)} lacks ${names(unlocked)}: guesthouse lock writes it anew.`,
          ]),
      ...(gone.length === 0
        ? []
        : [
            `No longer asked for, but still in the VM until guesthouse rebuild: ${names(gone)}.`,
          ]),
    ],
  };
}

/** What a VM's record keeps of its features. Pure. */
export const pinsOf = ({ lock }: Resolution): Record<string, string> =>
  Object.fromEntries(
    [...lock].map(([reference, { integrity }]) => [
      lockKey(reference),
      integrity,
    ]),
  );

/** Undefined where the folder has no lockfile. */
async function readLock(
  folder: string,
  configPath: string,
): Promise<Pins | undefined> {
  const path = lockPath(configPath);
  try {
    const real = await insideFolder(folder, path);
    if ((await stat(real)).size > largestLockBytes)
      throw refused(
        "workspaces.featureInvalid",
        `${path} is larger than ${String(largestLockBytes)} bytes.`,
        { remedy: "Write it anew with guesthouse lock, or remove it." },
      );
    return parseLock(await readFile(real, "utf8"), path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

export interface Locked {
  /** The file that was written. */
  readonly path: string;
  readonly features: readonly (LockEntry & { readonly reference: string })[];
}

/**
 * Finds the newest features that the file allows, whatever was locked before, and writes the lockfile: the only thing that
 * is ever written into a folder, and only when it is asked for by this.
 */
export async function lockFolder(
  { folder, path = "", file }: Configuration,
  deps: FetchDeps,
  signal: AbortSignal,
): Promise<Locked> {
  // What the options are makes no difference, and variables may stand in them.
  const wanted = Object.fromEntries(
    Object.keys(file.features ?? {}).map((reference) => [reference, {}]),
  );
  const { lock } = await resolveFeatures(
    wanted,
    [],
    new Map(),
    fetchFeatures(deps, folder, path, signal),
  );
  if (lock.size === 0)
    throw refused(
      "request.invalid",
      `${path === "" ? folder : path} has no features of a registry or an archive, so there is nothing to lock.`,
    );
  const target = lockPath(path);
  const inside = await insideFolder(folder, dirname(target));
  // A link that lies there is replaced, not followed.
  await replaceFile(
    join(inside, target.slice(target.lastIndexOf("/") + 1)),
    renderLock(lock),
    0o644,
  );
  return {
    path: join(folder, target),
    features: [...lock].map(([reference, entry]) => ({ reference, ...entry })),
  };
}
