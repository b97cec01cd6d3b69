import { createHash } from "node:crypto";
import type { Architecture } from "../../../protocol/images.ts";
import {
  type GuestParts,
  type LayerChoice,
  layerDigests,
  layerFolders,
  layerPackages,
} from "./layers.ts";

/** Grows when the builder's own code makes different images of the same inputs. */
const formatVersion = 1;

/** Everything that decides what comes out, except the packages' versions, which the mirror decides. */
export interface BuildInputs {
  readonly formatVersion: number;
  readonly release: string;
  readonly layers: readonly string[];
  readonly arch: Architecture;
  readonly diskGiB: number;
  readonly packages: readonly string[];
  /** SHA-256 of every file of the layers and of `handoff`, of the facts script and of programs put in, by path. */
  readonly files: Readonly<Record<string, string>>;
}

/** What a build is asked for. */
export interface BuildChoice extends LayerChoice {
  readonly arch: Architecture;
  readonly diskGiB: number;
}

/** Reads the inputs of a build; throws the file system's error where a layer names a program that isn't there. */
export async function readBuildInputs(
  parts: GuestParts,
  choice: BuildChoice,
): Promise<BuildInputs> {
  return {
    formatVersion,
    ...choice,
    packages: await layerPackages(
      layerFolders(parts.resources, choice),
      choice.arch,
    ),
    files: await layerDigests(parts, choice),
  };
}

/** A short stable name for inputs: equal for equal inputs whatever the order in which they were gathered. */
export function buildKey(inputs: BuildInputs): string {
  return createHash("sha256")
    .update(JSON.stringify(sorted(inputs)))
    .digest("hex")
    .slice(0, 32);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}
