import { createHash } from "node:crypto";
import { lstat, readdir, readFile, readlink, realpath } from "node:fs/promises";
import { isAbsolute, join, posix, relative, sep } from "node:path";
import { pack, type Pack } from "tar-stream";
import { isMissing } from "../../../base/files.ts";
import { visible } from "../../../base/visible.ts";
import { refused } from "../../../protocol/failure.ts";
import { invalidFeature } from "./metadata.ts";

const mostFiles = 2_000;
const largestBytes = 32 * 1024 * 1024;

/**
 * Archives a feature's folder, which must lie below the workspace's `.devcontainer` (specification, "Locally referenced
 * Features"). The same files give the same bytes, whenever and by whomever they were checked out. No symbolic link is
 * followed. Refuses with `workspaces.outsideFolder` and `workspaces.featureInvalid`.
 */
export async function packLocalFeature(
  folder: string,
  configPath: string,
  path: string,
): Promise<{ archive: Uint8Array; digest: string }> {
  const below = posix.normalize(posix.join(posix.dirname(configPath), path));
  if (!below.startsWith(".devcontainer/"))
    throw outside(path, "features of a folder lie below its .devcontainer");
  const root = await realpath(join(folder, ".devcontainer")).catch(
    () => undefined,
  );
  const real = await realpath(join(folder, below)).catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
  if (root === undefined || real === undefined)
    throw invalidFeature(
      path,
      `there is no folder ${below}`,
      "Correct its path, which is relative to the devcontainer.json.",
    );
  const base = await realpath(folder);
  if (!isBelow(base, root) || !isBelow(root, real))
    throw outside(path, `it leads to ${real}`);
  const archive = await archiveOf(real, path);
  const digest = createHash("sha256").update(archive).digest("hex");
  return { archive, digest: `sha256:${digest}` };
}

function isBelow(root: string, path: string): boolean {
  const way = relative(root, path);
  return way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

function archiveOf(root: string, feature: string): Promise<Uint8Array> {
  let [files, bytes] = [0, 0];
  const add = async (archive: Pack, name: string): Promise<void> => {
    const path = join(root, name);
    const found = await lstat(path);
    if ((files += 1) > mostFiles)
      throw invalidFeature(feature, "its folder holds too many files");
    // What git doesn't keep is left out, so that every checkout makes the same feature.
    const header = { name, mtime: new Date(0), mode: 0o755 };
    if (found.isDirectory()) {
      archive.entry({ ...header, type: "directory" });
      for (const each of (await readdir(path)).sort())
        await add(archive, posix.join(name, each));
    } else if (found.isSymbolicLink()) {
      const linkname = (await readlink(path)).split(sep).join("/");
      archive.entry({ ...header, type: "symlink", linkname });
    } else if (found.isFile()) {
      if ((bytes += found.size) > largestBytes)
        throw invalidFeature(feature, "its folder is too large");
      const mode = (found.mode & 0o111) === 0 ? 0o644 : 0o755;
      archive.entry({ ...header, mode }, await readFile(path));
    }
  };
  return packed(async (archive) => {
    for (const each of (await readdir(root)).sort()) await add(archive, each);
  });
}

/** The archive that `fill` puts its entries into. */
export async function packed(
  fill: (archive: Pack) => void | Promise<void>,
): Promise<Uint8Array> {
  const archive = pack();
  const chunks: Uint8Array[] = [];
  const collected = (async () => {
    for await (const chunk of archive as AsyncIterable<Uint8Array>)
      chunks.push(chunk);
  })();
  collected.catch(() => undefined);
  try {
    await fill(archive);
    archive.finalize();
    await collected;
  } catch (error) {
    archive.destroy();
    throw error;
  }
  return Buffer.concat(chunks);
}

const outside = (path: string, why: string): Error =>
  refused(
    "workspaces.outsideFolder",
    `The feature “${visible(path)}” is not taken: ${visible(why)}.`,
    { remedy: "Put the feature itself below the folder's .devcontainer." },
  );
