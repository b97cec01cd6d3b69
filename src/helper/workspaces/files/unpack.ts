import { createWriteStream } from "node:fs";
import { chmod, copyFile, lstat, mkdir, rm, symlink } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract, type Header } from "tar-stream";
import { hasErrorCode } from "../../../base/files.ts";
import { visible } from "../../../base/visible.ts";
import { failed } from "../../../protocol/failure.ts";
import type { CopyProgress } from "./pack.ts";
import { pump } from "../../../base/pump.ts";

export interface Unpacking {
  /** Of the host. */
  readonly folder: string;
  /** What the archive's first path component is called here. */
  readonly rename?: string;
  /** Everything else in the archive is left out. */
  readonly only?: ReadonlySet<string>;
}

/**
 * Writes a tar stream that comes from a guest below `folder`.
 * A guest is not trusted: no name leaves the folder, symbolic links are made last so that nothing is written through
 * them, a hard link has the content of a file that came before and never of one that is here (F59), nothing becomes writable for
 * others, set-user-id bits are dropped, devices left out. Throws `ssh.transferFailed` on a name that tries to leave, and on a
 * link to what didn't come.
 */
export async function unpackFrom(
  source: Readable,
  { folder, rename, only }: Unpacking,
  onProgress: (progress: CopyProgress) => void,
  signal?: AbortSignal,
): Promise<CopyProgress> {
  const archive = extract();
  const root = resolve(folder);
  const counted = { files: 0, bytes: 0 };
  const links: { path: string; to: string }[] = [];
  const written = new Set<string>();
  const place = (name: string): string =>
    placeBelow(folder, renamed(name, rename));
  const fed = pump(source, archive);
  fed.catch((error: unknown) =>
    archive.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  for await (const entry of archive) {
    signal?.throwIfAborted();
    const { header } = entry;
    if (only !== undefined && !only.has(header.name)) {
      entry.resume();
      continue;
    }
    const path = place(header.name);
    if (header.type === "symlink") links.push({ path, to: header.linkname });
    else if (
      !(await writeEntry(header, Readable.from(entry), {
        root,
        path,
        place,
        written,
      }))
    ) {
      entry.resume();
      continue;
    }
    entry.resume();
    if (header.type === "directory") continue;
    counted.files += 1;
    counted.bytes += header.size;
    onProgress({ ...counted });
  }
  await fed;
  for (const { path, to } of links) {
    await makeFolder(root, dirname(path));
    await rm(path, { force: true });
    await symlink(to, path);
  }
  return counted;
}

interface EntryPlace {
  readonly root: string;
  readonly path: string;
  /** Where a name of the archive comes to be. */
  readonly place: (name: string) => string;
  /** Files that came. */
  readonly written: Set<string>;
}

/** Answers false for what is left out. */
async function writeEntry(
  header: Header,
  content: Readable,
  { root, path, place, written }: EntryPlace,
): Promise<boolean> {
  let mode = header.mode & 0o777;
  switch (header.type) {
    case "directory":
      await makeFolder(root, path);
      // Without the owner's bits nothing could be put into it.
      await chmod(path, (mode & usual) | 0o700);
      return true;
    case "file":
    case "contiguous-file":
      await makeFolder(root, dirname(path));
      mode &= usual | (await removeLink(path));
      await pipeline(content, createWriteStream(path, { mode }));
      await chmod(path, mode);
      written.add(path);
      return true;
    case "link": {
      // A second name of a file that came before.
      const first = place(header.linkname);
      if (!written.has(first)) throw notSent(header);
      await makeFolder(root, dirname(path));
      await removeLink(path);
      await copyFile(first, path);
      written.add(path);
      return true;
    }
    default:
      return false;
  }
}

/** Like `mkdir -p` below `root`, but refuses to walk through links, whoever left them there. */
async function makeFolder(root: string, path: string): Promise<void> {
  if (path === root) {
    await mkdir(root, { recursive: true });
    return;
  }
  await makeFolder(root, dirname(path));
  try {
    await mkdir(path);
  } catch (error) {
    if (!hasErrorCode(error, "EEXIST")) throw error;
    if ((await lstat(path)).isDirectory()) return;
    throw failed(
      "ssh.transferFailed",
      `${path} is not a folder, so nothing from the guest is written into it.`,
      { remedy: "Copy to another folder, or remove it first.", cause: error },
    );
  }
}

/** Others may write to what comes out of a guest only where they may already. */
const usual = 0o755;

/** A link that lies there already would carry the content to where it points. Answers with the mode of a file that stays. */
async function removeLink(path: string): Promise<number> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.isSymbolicLink() === true) await rm(path);
  return found?.isFile() === true ? found.mode & 0o777 : 0;
}

const notSent = ({ name, linkname }: Header) =>
  failed(
    "ssh.transferFailed",
    `The guest sent “${visible(name)}” as another name of “${visible(linkname)}”, which it didn't send.`,
    { remedy: "Copy single files instead, or look at what the guest holds." },
  );

function renamed(name: string, rename: string | undefined): string {
  if (rename === undefined) return name;
  const [, ...rest] = name.replace(/^\.\//, "").split("/");
  return [rename, ...rest].join("/");
}

function placeBelow(folder: string, name: string): string {
  const root = resolve(folder);
  const path = resolve(root, join(".", name));
  const below = relative(root, path);
  if (below !== ".." && !below.startsWith(`..${sep}`)) return path;
  throw failed(
    "ssh.transferFailed",
    `The guest sent a file named “${visible(name)}”, which would leave the folder it is copied to.`,
    { remedy: "Copy single files instead, or look at what the guest holds." },
  );
}
