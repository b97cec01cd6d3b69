import { createHash } from "node:crypto";
import type { Devcontainer } from "../devcontainer/model.ts";

/** A file of the folder whose content counts, by the digest of it; null where there is none. */
export interface KeyFile {
  readonly path: string;
  readonly sha256: string | null;
}

/** All that decides what a VM is after `updateContentCommand`, but for the folder's files. */
export interface PrebuildIngredients {
  /** The digest is unknown while the image is not on this computer. */
  readonly base: {
    readonly name: string;
    readonly digest: string | undefined;
    readonly architecture: string;
  };
  /** Undefined: the image's own. */
  readonly user: string | undefined;
  readonly target: string;
  readonly workspaceFolder: string;
  /** Names the features with their contents and options; equal strings install the same. */
  readonly featuresKey: string;
  /** With its variables filled in. */
  readonly file: Pick<
    Devcontainer,
    "onCreateCommand" | "updateContentCommand" | "containerEnv" | "userEnvProbe"
  >;
  /** As it stands in the file: a token of this host in it is no other prebuild. */
  readonly remoteEnv: Devcontainer["remoteEnv"];
  readonly keyFiles: readonly KeyFile[];
}

export interface PrebuildKeys {
  /** Undefined while the base image's digest is. */
  readonly key: string | undefined;
  /** The same without that digest: what an import from a host with another build of the base image is known by. */
  readonly fileKey: string;
}

/**
 * Names what a prebuild is made of: equal keys, equal prebuilds. What runs after `updateContentCommand` is not in it, nor
 * are size and ports, which any clone can have otherwise. Pure.
 */
export function prebuildKeys(of: PrebuildIngredients): PrebuildKeys {
  const { base, file } = of;
  const fileKey = digestOf([
    "guesthouse prebuild 1",
    base.name,
    base.architecture,
    of.user,
    of.target,
    of.workspaceFolder,
    of.featuresKey,
    file.onCreateCommand,
    file.updateContentCommand,
    file.containerEnv,
    file.userEnvProbe,
    of.remoteEnv,
    [...of.keyFiles].sort((a, b) => (a.path < b.path ? -1 : 1)),
  ]);
  return {
    fileKey,
    key:
      base.digest === undefined ? undefined : digestOf([fileKey, base.digest]),
  };
}

const digestOf = (value: unknown): string =>
  createHash("sha256").update(canonical(value)).digest("hex");

/** JSON in which the order of names doesn't count, and a missing value is null. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_name, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(
          Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)),
        )
      : inner,
  );

/** `prebuild-web-1a2b3c4d`: an image's name, so that those of several files of a folder don't replace each other. Pure. */
export function prebuildName(folderName: string, key: string): string {
  const middle = folderName
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 40)
    .replace(/^-+|-+$/g, "");
  return `prebuild-${middle === "" ? "" : `${middle}-`}${key.slice(0, 8)}`;
}
