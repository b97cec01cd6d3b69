/** Writes a case's folder to the disk, as a person would have it checked out. */
import { createHash } from "node:crypto";
import {
  chown,
  cp,
  mkdir,
  readdir,
  readFile,
  rm,
  writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Case } from "./case.ts";
import { ended } from "./engines/namespaces.ts";

/** Who owns workspaces: the usual first user of a system, also where this runs as root. */
const owner = 1000;

export interface Written {
  readonly folder: string;
  readonly one: Case;
}

/** @returns the folder, named as the case, and the case with what it needs to know of this computer */
export async function writeFolder(
  one: Case,
  sources: string,
  root: string,
): Promise<Written> {
  const folder = join(root, one.name);
  const host = join(root, `${one.name}.host`);
  for (const path of [folder, host])
    await rm(path, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  if (one.folder !== undefined)
    await cp(join(sources, one.folder), folder, { recursive: true });
  await writeAll(folder, one.files ?? {});
  if (one.hostFiles) await writeAll(host, one.hostFiles);
  if (one.dotfiles)
    await writeDotfiles(join(folder, ".dotfiles"), one.dotfiles);
  if (process.getuid?.() === 0)
    for (const path of one.hostFiles ? [folder, host] : [folder])
      await giveAway(path);
  return {
    folder,
    one: {
      ...one,
      localEnv: {
        ...one.localEnv,
        ...(one.hostFiles ? { CASE_HOST: host } : {}),
      },
    },
  };
}

async function writeAll(
  folder: string,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text, {
      mode: path.endsWith(".sh") ? 0o755 : 0o644,
    });
  }
}

async function writeDotfiles(
  folder: string,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  await writeAll(folder, files);
  for (const args of [
    ["init", "-q", "-b", "main"],
    ["add", "-A"],
    [
      ...["-c", "user.name=Case", "-c", "user.email=case@example.com"],
      ...["commit", "-q", "-m", "Mine"],
    ],
  ]) {
    const { code, stderr } = await ended("git", args, { cwd: folder });
    if (code !== 0) throw new Error(`git ${args.join(" ")}: ${stderr}`);
  }
}

async function giveAway(path: string): Promise<void> {
  await chown(path, owner, owner);
  for (const entry of await readdir(path, {
    recursive: true,
    withFileTypes: true,
  }))
    await chown(join(entry.parentPath, entry.name), owner, owner);
}

/** Changes whenever what the case is or expects does, and so tells results that still hold. */
export async function keyOf(one: Case, sources: string): Promise<string> {
  const hash = createHash("sha256").update(
    JSON.stringify(one, (_, value: unknown) =>
      value instanceof RegExp ? String(value) : value,
    ),
  );
  if (one.folder !== undefined)
    for (const entry of (
      await readdir(join(sources, one.folder), {
        recursive: true,
        withFileTypes: true,
      })
    ).filter((file) => file.isFile()))
      hash.update(await readFile(join(entry.parentPath, entry.name)));
  return hash.digest("hex").slice(0, 16);
}
