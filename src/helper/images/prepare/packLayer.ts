/*
 * A layer of `resources/guest` as one tar archive, for a guest that is being prepared: the layer's folder, the script that
 * installs it, and in `compiled/` the product's programs that it names. The builder takes the same files from the disk.
 */
import { readdir, readFile, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { buffer } from "node:stream/consumers";
import { pack, type Pack } from "tar-stream";
import { readIfPresent } from "../../../base/files.ts";
import {
  type GuestParts,
  type LayerName,
  readCompiledList,
} from "../build/layers.ts";

/** Undefined when there is no such layer. */
export async function packLayer(
  { resources, compiled }: GuestParts,
  name: LayerName,
): Promise<Buffer | undefined> {
  const folder = join(resources, name);
  const there = await stat(folder).catch(() => undefined);
  if (there === undefined) return undefined;
  const archive = pack();
  const whole = buffer(archive as AsyncIterable<Uint8Array>);
  await add(archive, join(resources, "debian", "layer.sh"), "layer.sh");
  await addTree(archive, folder, name);
  const list = await readIfPresent(join(folder, "compiled.txt"));
  for (const { program } of readCompiledList(list ?? ""))
    await addTree(archive, join(compiled, program), `compiled/${program}`);
  archive.finalize();
  return whole;
}

async function addTree(
  archive: Pack,
  path: string,
  name: string,
): Promise<void> {
  if (!(await stat(path)).isDirectory()) return add(archive, path, name);
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  for (const entry of entries)
    if (entry.isFile()) {
      const file = join(entry.parentPath, entry.name);
      const inside = relative(path, file).replaceAll("\\", "/");
      await add(archive, file, `${name}/${inside}`);
    }
}

async function add(archive: Pack, path: string, name: string): Promise<void> {
  archive.entry({ name, mode: 0o644 }, await readFile(path));
}
