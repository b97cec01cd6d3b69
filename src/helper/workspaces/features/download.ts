import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { withDeadline } from "../../../base/deadline.ts";
import {
  isMissing,
  makePrivateFolder,
  replaceFile,
} from "../../../base/files.ts";
import { retry } from "../../../base/retry.ts";
import { visible } from "../../../base/visible.ts";
import { failed, GuesthouseError } from "../../../protocol/failure.ts";
import {
  bodyOf,
  describeHttpError,
  type Http,
  HttpStatusError,
  isPassing,
} from "../../net/http.ts";
import { isSafeUrl } from "./reference.ts";

export interface Answer {
  readonly status: number;
  readonly body: Uint8Array;
  /** `WWW-Authenticate`. */
  readonly challenge: string | undefined;
}

export interface AnswerOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly maxBytes: number;
  /** Status codes beside those of success that are an answer. */
  readonly alsoStatus?: readonly number[];
}

const timeoutMs = 120_000;

/**
 * Fetches into memory, with three tries. Throws `workspaces.featureFailed`, also for an answer that is too large or came
 * from an address without encryption by a redirect.
 */
export async function fetchBytes(
  http: Http,
  url: string,
  { headers = {}, maxBytes, alsoStatus = [] }: AnswerOptions,
  signal?: AbortSignal,
): Promise<Answer> {
  const once = async (within: AbortSignal): Promise<Answer> => {
    const response = await http.get(url, headers, within);
    if (!response.ok && !alsoStatus.includes(response.status))
      throw new HttpStatusError(response.status);
    const [asked, answered] = [new URL(url), new URL(response.url)];
    // From this computer to itself is the only way without encryption.
    if (
      answered.protocol !== "https:" &&
      !(asked.protocol === "http:" && isSafeUrl(answered))
    )
      throw new Error("it was redirected to an address without encryption");
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of bodyOf(response)) {
      bytes += chunk.length;
      if (bytes > maxBytes)
        throw new TooLarge(`it is larger than ${String(maxBytes)} bytes`);
      chunks.push(chunk);
    }
    return {
      status: response.status,
      body: Buffer.concat(chunks),
      challenge: response.headers.get("www-authenticate") ?? undefined,
    };
  };
  try {
    return await retry(
      {
        tries: 3,
        delayMs: 500,
        again: (error) => isPassing(error) && !(error instanceof TooLarge),
      },
      () => withDeadline(`Asking ${url}`, timeoutMs, once, signal),
      signal,
    );
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof GuesthouseError) throw error;
    throw fetchFailure(url, describeHttpError(error), error);
  }
}

class TooLarge extends Error {}

export const fetchFailure = (
  what: string,
  why: string,
  cause?: unknown,
): GuesthouseError =>
  failed(
    "workspaces.featureFailed",
    `${visible(what)} could not be fetched: ${visible(why)}.`,
    {
      remedy:
        "Check the feature's name and version, the network and the proxy settings (https_proxy, no_proxy), then try again.",
      actions: ["retry", "showLog"],
      cause,
    },
  );

export const digestOf = (bytes: Uint8Array): string =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/**
 * What has this digest, from the cache, else from `fetch`, which then fills the cache. Throws
 * `workspaces.featureFailed` when what comes is something else. A full disk only costs the cache.
 */
export async function byDigest(
  cache: string,
  digest: string,
  fetch: () => Promise<Uint8Array>,
  what: string,
): Promise<Uint8Array> {
  const path = join(cache, digest.replace(":", "-"));
  const kept = await readFile(path).catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
  // A copy that was damaged is fetched again.
  if (kept !== undefined && digestOf(kept) === digest) return kept;
  const bytes = await fetch();
  if (digestOf(bytes) !== digest)
    throw fetchFailure(
      what,
      `what came has the digest ${digestOf(bytes)}, and ${digest} was expected`,
    );
  await keep(cache, bytes);
  return bytes;
}

/** Puts something into the cache, by its digest. */
export async function keep(cache: string, bytes: Uint8Array): Promise<string> {
  const digest = digestOf(bytes);
  try {
    await makePrivateFolder(cache);
    await replaceFile(join(cache, digest.replace(":", "-")), bytes);
  } catch {
    // It is only fetched once more.
  }
  return digest;
}
