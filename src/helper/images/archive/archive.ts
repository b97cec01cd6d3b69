import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract, pack, type Pack } from "tar-stream";
import * as z from "zod";
import { given } from "../../../base/given.ts";
import { hasErrorCode, openAtOnce, syncFile } from "../../../base/files.ts";
import { pump } from "../../../base/pump.ts";
import {
  failed,
  refused,
  type GuesthouseError,
} from "../../../protocol/failure.ts";
import { architectures, imageSourceSchema } from "../../../protocol/images.ts";
import type { ImageFiles } from "../../store/layout.ts";
import { systems } from "../../guests/programs/systems.ts";
import { asDiskFailure, requireSpace } from "../../store/diskSpace.ts";
import { imageFactsSchema } from "../disks/facts.ts";
import { imageDefaultsSchema } from "../golden/defaults.ts";
import type { OnProgress } from "../golden/made.ts";
import type { StoredImage } from "../golden/store.ts";

/*
 * An image as one file: a tar archive with exactly these members in this order, nothing else:
 *   guesthouse-image.json   what the image is, and size and SHA-256 of each file that follows
 *   disk.qcow2              as it lies in the store, packed
 *   kernel, initrd          for a direct boot
 */
const manifestName = "guesthouse-image.json";
const memberNames = ["disk.qcow2", "kernel", "initrd"] as const;
type MemberName = (typeof memberNames)[number];
const manifestBytes = 4 * 1024 * 1024;

const memberSchema = z.strictObject({
  name: z.enum(memberNames),
  size: z.int().positive(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
/** One line, as it becomes one argument and is shown. */
const line = z
  .string()
  .regex(/^[^\p{Cc}]*$/u, "one line")
  .max(4096);

const manifestSchema = z
  .object({
    format: z.literal("guesthouse-image"),
    version: z.literal(1),
    name: line,
    title: line,
    architecture: z.enum(architectures),
    source: imageSourceSchema,
    defaultUser: z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$/),
    expectedBootSeconds: z.number().positive().max(3600),
    defaults: imageDefaultsSchema.optional(),
    kernelArguments: line.optional(),
    facts: imageFactsSchema,
    members: z.array(memberSchema).min(1).max(3),
  })
  .refine(
    ({ members, kernelArguments }) =>
      // In order, none twice, and what a direct boot needs.
      members.every(({ name }, index) => name === memberNames[index]) &&
      members.length > 1 === (kernelArguments !== undefined),
    "its list of files is not one of an image",
  );
export type ImageManifest = z.infer<typeof manifestSchema>;

/** Writes an image of the store as one file at `path`, which appears whole or not at all. */
export async function writeArchive(
  image: { readonly stored: StoredImage; readonly files: ImageFiles },
  path: string,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<number> {
  const { files } = image;
  const { record, facts } = image.stored;
  if (!systems[record.os ?? "linux"].can.share)
    throw refused(
      "request.invalid",
      `Image ${record.name} holds Windows, and what is made of an ISO of Windows stays on the computer that made it.`,
      { remedy: "Install it from its ISO there too." },
    );
  if (facts === undefined)
    throw failed(
      "images.broken",
      `What image ${record.name} holds is not on record any more, so it can't be exported.`,
      { remedy: "Make the image anew." },
    );
  const { directBoot, source } = record;
  const parts: [MemberName, string, string | undefined][] = [
    ["disk.qcow2", files.disk, record.digest.replace("sha256:", "")],
    ["kernel", files.kernel, directBoot?.kernelSha256],
    ["initrd", files.initrd, directBoot?.initrdSha256],
  ];
  const members: (ImageManifest["members"][number] & { path: string })[] = [];
  for (const [name, at, sha256] of parts)
    if (sha256 !== undefined)
      members.push({ name, path: at, size: (await stat(at)).size, sha256 });
  const manifest: ImageManifest = {
    format: "guesthouse-image",
    version: 1,
    name: record.name,
    title: record.title,
    architecture: record.architecture,
    source: portable(source),
    defaultUser: record.defaultUser,
    expectedBootSeconds: record.expectedBootSeconds,
    ...given({ defaults: record.defaults }),
    ...(directBoot === undefined
      ? {}
      : { kernelArguments: directBoot.kernelArguments }),
    facts,
    members: members.map(({ name, size, sha256 }) => ({ name, size, sha256 })),
  };
  const totalBytes = members.reduce((sum, { size }) => sum + size, 0);
  await requireSpace(dirname(path), totalBytes, `Exporting ${record.name}`);
  const partial = `${path}.part`;
  try {
    await refuseTaken(path);
    const archive = pack();
    const out = pipeline(
      // tar-stream's ends are no streams of Node.
      Readable.from(archive as AsyncIterable<Uint8Array>),
      createWriteStream(partial, { mode: 0o600 }),
      { signal },
    );
    const end = (error: unknown): void =>
      archive.destroy(error instanceof Error ? error : undefined);
    const fed = fill(archive, manifest, members, (bytes) =>
      onProgress({ stage: "pack", bytes, totalBytes }),
    );
    fed.catch(end);
    out.catch(end);
    // The one that failed first says why.
    await Promise.all([fed, out]);
    await syncFile(partial);
    await refuseTaken(path);
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    signal.throwIfAborted();
    throw asDiskFailure(error, dirname(path), `exporting ${record.name}`);
  }
  return (await stat(path)).size;
}

/** Paths and ids of the computer that made it are nobody else's business. */
const portable = (source: ImageManifest["source"]): ImageManifest["source"] => {
  if (source.kind === "imported") return { ...source, path: "" };
  if (source.kind !== "prebuild") return source;
  return { ...source, workspace: undefined };
};

async function refuseTaken(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found !== undefined)
    throw refused("request.invalid", `There is a ${path} already.`, {
      remedy: "Give another name, or remove that file first.",
    });
}

async function fill(
  archive: Pack,
  manifest: ImageManifest,
  members: readonly {
    readonly name: string;
    readonly path: string;
    readonly size: number;
    readonly sha256: string;
  }[],
  onBytes: (bytes: number) => void,
): Promise<void> {
  const attributes = { mode: 0o600, mtime: new Date(0), type: "file" } as const;
  archive.entry(
    { name: manifestName, ...attributes },
    Buffer.from(JSON.stringify(manifest, null, 2)),
  );
  let done = 0;
  for (const { name, path, size, sha256 } of members) {
    const hash = createHash("sha256");
    const entry = archive.entry({ name, size, ...attributes });
    const watched = async function* (): AsyncGenerator<Buffer> {
      const chunks = createReadStream(path, {
        end: size - 1,
        highWaterMark: 1024 * 1024,
      });
      for await (const chunk of chunks as AsyncIterable<Buffer>) {
        hash.update(chunk);
        done += chunk.length;
        onBytes(done);
        yield chunk;
      }
    };
    await pump(watched(), entry);
    if (hash.digest("hex") !== sha256)
      throw failed(
        "images.broken",
        `${path} has changed since the image was made, so it is not exported.`,
        { remedy: "Make the image anew." },
      );
  }
  archive.finalize();
}

const block = 512;

const bad = (path: string, why: string, cause?: unknown): GuesthouseError =>
  refused(
    "images.broken",
    `${path} is no image of Guesthouse's that is whole: ${why}.`,
    {
      remedy:
        "Get the file again where it was exported (guesthouse image export), and compare its checksum.",
      ...given({ cause }),
    },
  );

/** What an exported image says of itself; undefined when the file is something else. Nothing is written. */
export async function readManifest(
  path: string,
): Promise<ImageManifest | undefined> {
  const file = await openAtOnce(path).catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    if (!(await file.stat()).isFile()) return undefined;
    const head = Buffer.alloc(block);
    const { bytesRead } = await file.read(head, 0, block, 0);
    const named = head.toString("latin1", 0, manifestName.length + 1);
    if (bytesRead < block || named !== `${manifestName}\0`) return undefined;
    const size = Number.parseInt(head.toString("latin1", 124, 136), 8);
    if (!(size > 0 && size <= manifestBytes))
      throw bad(path, "its description has no sensible size");
    const text = Buffer.alloc(size);
    const read = await file.read(text, 0, size, block);
    if (read.bytesRead < size) throw bad(path, "it is cut short");
    return parseManifest(path, text.toString("utf8"));
  } finally {
    await file.close();
  }
}

function parseManifest(path: string, text: string): ImageManifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw bad(path, "its description can't be read", error);
  }
  const parsed = manifestSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw bad(
    path,
    `${issue?.path.join(".") ?? ""} ${issue?.message ?? "wrong"}`.trim(),
  );
}

/**
 * Writes the members into `folder` by names of ours and answers with their paths. What the archive calls them only has to
 * be what is expected next; a member too many, of another kind, size or digest ends it with `images.broken`.
 */
export async function unpackArchive(
  {
    path,
    manifest: { members },
  }: { readonly path: string; readonly manifest: ImageManifest },
  folder: string,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<Partial<Record<MemberName, string>>> {
  const totalBytes = members.reduce((sum, { size }) => sum + size, 0);
  await requireSpace(folder, totalBytes, `Importing ${path}`);
  const waiting: { name: string; size: number; sha256?: string }[] = [
    { name: manifestName, size: -1 },
    ...members,
  ];
  const written: Partial<Record<MemberName, string>> = {};
  let bytes = 0;
  const archive = extract();
  const source = createReadStream(path, { highWaterMark: 1024 * 1024 });
  const fed = pump(source as AsyncIterable<Uint8Array>, archive);
  fed.catch((error: unknown) =>
    archive.destroy(error instanceof Error ? error : undefined),
  );
  try {
    for await (const entry of archive) {
      const { name, size, type } = entry.header;
      const expected = waiting.shift();
      if (expected === undefined || name !== expected.name || type !== "file")
        throw bad(path, "it holds files that don't belong there");
      if (expected.sha256 === undefined) {
        entry.resume();
        continue;
      }
      if (size !== expected.size)
        throw bad(path, `${expected.name} has another size than it says`);
      const target = join(folder, `unpacked-${expected.name}`);
      const hash = createHash("sha256");
      await pipeline(
        Readable.from(entry as AsyncIterable<Buffer>),
        async function* (chunks: AsyncIterable<Buffer>) {
          for await (const chunk of chunks) {
            hash.update(chunk);
            bytes += chunk.length;
            onProgress({ stage: "unpack", bytes, totalBytes });
            yield chunk;
          }
        },
        createWriteStream(target, { flags: "wx", mode: 0o600 }),
        { signal },
      );
      if (hash.digest("hex") !== expected.sha256)
        throw bad(path, `${expected.name} is not what it says it is`);
      written[expected.name as MemberName] = target;
    }
    await fed;
  } catch (error) {
    source.destroy();
    archive.destroy();
    signal.throwIfAborted();
    if (isOurs(error)) throw error;
    throw bad(path, "it is cut short or damaged", error);
  }
  if (waiting.length > 0) throw bad(path, "it is cut short");
  return written;
}

/** A full disk says so by itself. */
const isOurs = (error: unknown): boolean =>
  (error instanceof Error && "failure" in error) ||
  ["ENOSPC", "EDQUOT", "EACCES", "EPERM"].some((code) =>
    hasErrorCode(error, code),
  );
