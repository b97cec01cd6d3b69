/*
 * What an image is made of, as folders below `resources/guest`: Debian's own, that of the release, then the recipe's
 * layers. Each may have packages, files, masked units and scripts (`debian/layer.sh` says which). The builder and the
 * key of a build ask here, so that both always mean the same files.
 */
import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { readIfPresent } from "../../../base/files.ts";
import type { Architecture } from "../../../protocol/images.ts";
import { readPackageList } from "./packages.ts";

/** Debian releases that can be built: each has a folder of this name in `debian/`. */
export const releases = ["bookworm", "trixie"] as const;
export type Release = (typeof releases)[number];

/** Folders beside `debian/` that make an image more than plain Debian. One that isn't there adds nothing. */
export const layerNames = ["engine", "landing"] as const;
export type LayerName = (typeof layerNames)[number];

/** What decides which folders an image is made of. */
export interface LayerChoice {
  readonly release: Release;
  readonly layers: readonly LayerName[];
}

/** Where the product's own files lie. */
export interface GuestParts {
  /** `resources/guest`. */
  readonly resources: string;
  /** The folder of the product's programs, `dist`: layers copy some of them into the image. */
  readonly compiled: string;
}

/** In the order in which they are put on top of each other. */
export const layerFolders = (
  resources: string,
  { release, layers }: LayerChoice,
): string[] => [
  join(resources, "debian"),
  join(resources, "debian", release),
  ...layers.map((name) => join(resources, name)),
];

/** The packages of all layers, sorted, each once. */
export async function layerPackages(
  folders: readonly string[],
  arch: Architecture,
): Promise<string[]> {
  const names = new Set<string>();
  for (const folder of folders)
    for (const name of readPackageList(
      (await readIfPresent(join(folder, "packages.txt"))) ?? "",
      arch,
    ))
      names.add(name);
  return [...names].sort();
}

/** The product's programs that a layer puts into the image, by `compiled.txt`: file or folder, and its path in the image. */
export function readCompiledList(
  text: string,
): { readonly program: string; readonly path: string }[] {
  return text
    .split("\n")
    .map((line) => line.replace(/#.*/, "").trim().split(/\s+/))
    .flatMap(([program = "", path]) =>
      path === undefined ? [] : [{ program, path }],
    );
}

/** SHA-256 of every file that the layers bring, by its path; those of other releases are left out. */
export async function layerDigests(
  { resources, compiled }: GuestParts,
  choice: LayerChoice,
): Promise<Record<string, string>> {
  const others = releases
    .filter((name) => name !== choice.release)
    .map((name) => join(resources, "debian", name));
  const [debian = "", , ...layers] = layerFolders(resources, choice);
  const paths = [join(resources, "image-facts.sh")];
  for (const folder of [debian, join(resources, "handoff"), ...layers])
    paths.push(...(await filesBelow(folder, others)));
  const digests: Record<string, string> = {};
  for (const path of paths)
    digests[relative(resources, path).replaceAll("\\", "/")] =
      await digestOf(path);
  for (const folder of layers) {
    const list = await readIfPresent(join(folder, "compiled.txt"));
    for (const { program } of readCompiledList(list ?? ""))
      for (const path of await filesAt(join(compiled, program)))
        digests[`compiled/${relative(compiled, path).replaceAll("\\", "/")}`] =
          await digestOf(path);
  }
  return digests;
}

const digestOf = async (path: string): Promise<string> =>
  createHash("sha256")
    .update(await readFile(path))
    .digest("hex");

const filesAt = async (path: string): Promise<string[]> =>
  (await stat(path)).isDirectory() ? filesBelow(path, []) : [path];

async function filesBelow(
  folder: string,
  except: readonly string[],
): Promise<string[]> {
  const paths: string[] = [];
  const entries = await readdir(folder, { withFileTypes: true }).catch(
    () => [],
  );
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (except.includes(path)) continue;
    if (entry.isDirectory()) paths.push(...(await filesBelow(path, except)));
    else if (entry.isFile()) paths.push(path);
  }
  return paths.sort();
}
