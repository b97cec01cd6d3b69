import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import type { Architecture } from "../../../protocol/images.ts";
import { readPackageList } from "./packages.ts";

/** Grows when the builder's own code makes different images of the same inputs. */
const formatVersion = 1;

/** Everything that decides what comes out, except the packages' versions, which the mirror decides. */
export interface BuildInputs {
  readonly formatVersion: number;
  readonly release: string;
  readonly arch: Architecture;
  readonly diskGiB: number;
  readonly packages: readonly string[];
  /** SHA-256 of every file below `resources/guest/debian` and `…/handoff` and of the facts script, by path. */
  readonly files: Readonly<Record<string, string>>;
}

/** Reads the inputs from `resources/guest`. */
export async function readBuildInputs(
  guestResources: string,
  options: {
    readonly release: string;
    readonly arch: Architecture;
    readonly diskGiB: number;
  },
): Promise<BuildInputs> {
  const debian = join(guestResources, "debian");
  const paths = [
    join(guestResources, "image-facts.sh"),
    ...(await filesBelow(debian)),
    ...(await filesBelow(join(guestResources, "handoff"))),
  ];
  const files: Record<string, string> = {};
  for (const path of paths)
    files[relative(guestResources, path).replaceAll("\\", "/")] = createHash(
      "sha256",
    )
      .update(await readFile(path))
      .digest("hex");
  const list = await readFile(join(debian, "packages.txt"), "utf8");
  return {
    formatVersion,
    ...options,
    packages: readPackageList(list, options.arch).sort(),
    files,
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

async function filesBelow(folder: string): Promise<string[]> {
  const paths: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) paths.push(...(await filesBelow(path)));
    else if (entry.isFile()) paths.push(path);
  }
  return paths.sort();
}
