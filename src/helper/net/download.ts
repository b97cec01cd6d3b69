import { type FileHandle, open, rm, stat, truncate } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { Response } from "undici";
import * as z from "zod";
import { given } from "../../base/given.ts";
import { isMissing } from "../../base/files.ts";
import { readJson, writeJson } from "../../base/jsonFile.ts";
import { sleep } from "../../base/deadline.ts";
import { GuesthouseError } from "../../protocol/failure.ts";
import { type Checksum, verifyFile } from "./checksums.ts";
import { asDiskFailure, requireSpace } from "../store/diskSpace.ts";
import {
  type Http,
  HttpStatusError,
  bodyOf,
  downloadFailure,
  isPassing,
} from "./http.ts";
import { rateMeter } from "./rate.ts";

export interface DownloadRequest {
  readonly url: string;
  /** Where the bytes gather; complete and verified when `download` resolves. What belongs to it is `<path>.json`. */
  readonly path: string;
  readonly expected: Checksum;
  /** How often in a row nothing may come in; default 5. */
  readonly tries?: number;
  /** Pause after the first failure; doubles up to 30 s. Default 1 s. */
  readonly retryDelayMs?: number;
}

export interface DownloadProgress {
  readonly stage: "download" | "verify";
  readonly bytes: number;
  readonly totalBytes?: number;
  readonly bytesPerSecond?: number;
}

/**
 * Downloads a file, going on where an earlier call or a cut connection left off, and verifies it (B26).
 * A cancelled or failed download leaves its bytes for the next call; a full disk or a wrong digest leaves nothing.
 * Throws `images.downloadFailed`, `images.digestMismatch`, `host.diskFull`.
 * Ranges: RFC 9110, sections 13.1.5 (If-Range) and 14.
 */
export async function download(
  http: Http,
  request: DownloadRequest,
  onProgress: (progress: DownloadProgress) => void,
  signal?: AbortSignal,
): Promise<void> {
  const resumed = await gather(http, request, onProgress, signal);
  try {
    await verify(request, onProgress, signal);
  } catch (error) {
    signal?.throwIfAborted();
    await discard(request.path);
    // Bytes of two versions may have met where the server's own marks are wrong: once more in one piece.
    if (!resumed) throw error;
    await gather(http, request, onProgress, signal);
    await verify(request, onProgress, signal).catch(async (again: unknown) => {
      signal?.throwIfAborted();
      await discard(request.path);
      throw again;
    });
  }
  await rm(marksPath(request.path), { force: true });
}

/** Removes a partial download. */
export async function discard(path: string): Promise<void> {
  await rm(path, { force: true });
  await rm(marksPath(path), { force: true });
}

const marksPath = (path: string): string => `${path}.json`;

/** What tells whether a partial file and the server's file are the same. */
const marksSchema = z.object({
  url: z.string(),
  validator: z.string().optional(),
  totalBytes: z.number().optional(),
});
type Marks = z.infer<typeof marksSchema>;

/** Answers whether the file was put together from more than one response. */
async function gather(
  http: Http,
  request: DownloadRequest,
  onProgress: (progress: DownloadProgress) => void,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const rate = rateMeter();
  const tries = request.tries ?? 5;
  const firstDelayMs = request.retryDelayMs ?? 1000;
  let fruitless = 0;
  let resumed = false;
  const onBytes = (bytes: number, totalBytes: number | undefined): void =>
    onProgress({
      stage: "download",
      bytes,
      ...given({ totalBytes }),
      bytesPerSecond: rate(bytes),
    });
  for (;;) {
    const before = await sizeOf(request.path);
    try {
      resumed = (await attempt(http, request, onBytes, signal)) || resumed;
      return resumed;
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof GuesthouseError) throw error;
      const full = asDiskFailure(
        error,
        dirname(request.path),
        `downloading ${basename(new URL(request.url).pathname)}`,
      );
      if (full instanceof GuesthouseError) {
        await discard(request.path);
        throw full;
      }
      resumed = true;
      // As long as bytes come in, a bad line is only a slow one.
      fruitless = (await sizeOf(request.path)) > before ? 1 : fruitless + 1;
      if (!isPassing(error) || fruitless >= tries)
        throw downloadFailure(request.url, error);
    }
    await sleep(Math.min(firstDelayMs * 2 ** (fruitless - 1), 30_000), signal);
  }
}

/** One request. Resolves when the file is complete: true when it began with bytes from before. */
async function attempt(
  http: Http,
  request: DownloadRequest,
  onBytes: (bytes: number, totalBytes: number | undefined) => void,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const have = await sizeOf(request.path);
  const marks = have === 0 ? undefined : await readMarks(request);
  if (marks?.totalBytes === have) return true;
  const response = await http.get(
    request.url,
    marks?.validator === undefined
      ? {}
      : { range: `bytes=${String(have)}-`, "if-range": marks.validator },
    signal,
  );
  const start = await startOf(response, request, have, marks);
  const total = totalOf(response, start);
  await writeJson(marksPath(request.path), {
    url: request.url,
    validator: validatorOf(response) ?? marks?.validator,
    totalBytes: total,
  } satisfies Record<keyof Marks, unknown>);
  if (total !== undefined)
    await requireSpace(
      dirname(request.path),
      total - start,
      `Downloading ${basename(new URL(request.url).pathname)}`,
    );
  const file = await open(request.path, start === 0 ? "w" : "r+", 0o600);
  try {
    const end = await append(file, start, response, (bytes) =>
      onBytes(bytes, total),
    );
    if (total !== undefined && end !== total)
      throw new Error(
        `it ended after ${String(end)} of ${String(total)} bytes`,
      );
    await file.sync();
  } finally {
    await file.close();
  }
  return start > 0;
}

async function append(
  file: FileHandle,
  start: number,
  response: Response,
  onBytes: (bytes: number) => void,
): Promise<number> {
  let at = start;
  for await (const bytes of bodyOf(response)) {
    for (let written = 0; written < bytes.length;) {
      const { bytesWritten } = await file.write(
        bytes,
        written,
        bytes.length - written,
        at + written,
      );
      written += bytesWritten;
    }
    at += bytes.length;
    onBytes(at);
  }
  return at;
}

/** Where in the file the response's first byte belongs. Throws where the answer makes no sense, having forgotten the bytes. */
async function startOf(
  response: Response,
  request: DownloadRequest,
  have: number,
  marks: Marks | undefined,
): Promise<number> {
  if (response.status === 200) return 0;
  if (response.status === 206) {
    const start = /^bytes (\d+)-/.exec(
      response.headers.get("content-range") ?? "",
    )?.[1];
    // An answer to If-Range may leave its date out.
    const mark = validatorOf(response) ?? marks?.validator;
    if (Number(start) === have && mark === marks?.validator) return have;
  }
  await response.body?.cancel();
  if (response.status === 206 || response.status === 416) {
    await truncate(request.path, 0);
    throw new Error("the file changed on the server");
  }
  throw new HttpStatusError(response.status);
}

function totalOf(response: Response, start: number): number | undefined {
  const length = response.headers.get("content-length");
  return length === null ? undefined : start + Number(length);
}

/** A weak ETag (`W/…`) must not be used with ranges; the date of the last change may. */
function validatorOf(response: Response): string | undefined {
  const etag = response.headers.get("etag");
  if (etag?.startsWith('"') === true) return etag;
  return response.headers.get("last-modified") ?? undefined;
}

async function readMarks(request: DownloadRequest): Promise<Marks | undefined> {
  const read = await readJson(marksPath(request.path), (value) =>
    marksSchema.parse(value),
  );
  return read.kind === "read" && read.value.url === request.url
    ? read.value
    : undefined;
}

async function verify(
  { path, url, expected }: DownloadRequest,
  onProgress: (progress: DownloadProgress) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const totalBytes = await sizeOf(path);
  await verifyFile(
    { path, expected, what: url },
    (bytes) => onProgress({ stage: "verify", bytes, totalBytes }),
    signal,
  );
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isMissing(error)) return 0;
    throw error;
  }
}
