import { Readable } from "node:stream";
import { type Response, fetch } from "undici";
import { given } from "../../base/given.ts";
import { DeadlineError, withDeadline } from "../../base/deadline.ts";
import { type GuesthouseError, failed } from "../../protocol/failure.ts";
import { ProxyingAgent, proxyRules } from "./proxies.ts";

export interface HttpOptions {
  /** Default 10 s, of which a name look-up is a part. */
  readonly connectTimeoutMs?: number;
  /** Longest silence while a body comes in; default 30 s. */
  readonly stallTimeoutMs?: number;
}

/** HTTP as the host is set up for it. */
export interface Http {
  /** Follows redirects. Throws as `fetch` does; `describeHttpError` puts it in words. */
  readonly get: (
    url: string,
    headers: Readonly<Record<string, string>>,
    signal?: AbortSignal,
  ) => Promise<Response>;
  /** Ends every connection. */
  readonly close: () => Promise<void>;
}

/**
 * Goes through `http_proxy`, `https_proxy` and `no_proxy` (either case). Node itself trusts `NODE_EXTRA_CA_CERTS`, but
 * reads it at process start only, so whoever launches the helper hands it on.
 */
export function createHttp(
  env: NodeJS.ProcessEnv,
  options: HttpOptions = {},
): Http {
  const timeoutMs = options.stallTimeoutMs ?? 30_000;
  const dispatcher = new ProxyingAgent(proxyRules(env), {
    connect: { timeout: options.connectTimeoutMs ?? 10_000 },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });
  return {
    get: (url, headers, signal) =>
      fetch(url, {
        dispatcher,
        // Ranges and digests are about the bytes as published.
        headers: { "accept-encoding": "identity", ...headers },
        ...given({ signal }),
      }),
    close: () => dispatcher.destroy(),
  };
}

const maxTextBytes = 4 * 1024 * 1024;

/**
 * Fetches a small text. Throws `images.downloadFailed`, also where a secure address was redirected to an insecure one:
 * what is fetched here is trusted.
 */
export async function getText(
  http: Http,
  url: string,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<string> {
  const fetchAll = async (within: AbortSignal): Promise<string> => {
    const response = await http.get(url, {}, within);
    if (!response.ok) throw new HttpStatusError(response.status);
    if (url.startsWith("https:") && !response.url.startsWith("https:"))
      throw new Error(
        `it was redirected to ${hostOf(response.url)} without encryption`,
      );
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of bodyOf(response)) {
      bytes += chunk.length;
      if (bytes > maxTextBytes) throw new Error("it is far too large");
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString("utf8");
  };
  try {
    return await withDeadline(
      `Asking ${hostOf(url)}`,
      timeoutMs,
      fetchAll,
      signal,
    );
  } catch (error) {
    signal?.throwIfAborted();
    throw downloadFailure(url, error);
  }
}

/** The body's chunks; the library leaves their type open. */
export const bodyOf = (response: Response): AsyncIterable<Uint8Array> =>
  response.body ?? Readable.from([]);

export class HttpStatusError extends Error {
  readonly status: number;
  constructor(status: number) {
    super(`the server answered with status ${String(status)}`);
    this.name = "HttpStatusError";
    this.status = status;
  }
}

/** An answer that another try may well turn into a good one. */
export function isPassing(error: unknown): boolean {
  return error instanceof HttpStatusError
    ? error.status >= 500 || error.status === 408 || error.status === 429
    : true;
}

export function downloadFailure(url: string, error: unknown): GuesthouseError {
  return failed(
    "images.downloadFailed",
    `${url} could not be downloaded: ${describeHttpError(error)}.`,
    {
      remedy:
        "Check the network and the proxy settings (https_proxy, no_proxy, NODE_EXTRA_CA_CERTS) and try again; a download goes on where it ended.",
      actions: ["retry", "doctor"],
      cause: error,
    },
  );
}

const reasons: Readonly<Record<string, string>> = {
  ENOTFOUND: "its name is not known to the name server",
  EAI_AGAIN: "the name server does not answer",
  ECONNREFUSED: "nobody accepts connections there",
  ECONNRESET: "the connection was cut",
  UND_ERR_SOCKET: "the connection was cut",
  ENETUNREACH: "the network can't be reached",
  EHOSTUNREACH: "the host can't be reached",
  ETIMEDOUT: "the host does not answer",
  UND_ERR_CONNECT_TIMEOUT: "the host does not answer",
  UND_ERR_HEADERS_TIMEOUT: "the server accepted the request and said nothing",
  UND_ERR_BODY_TIMEOUT: "the server stopped sending",
};

/** The inmost cause in words; `fetch` wraps it in “fetch failed”. */
export function describeHttpError(error: unknown): string {
  if (error instanceof DeadlineError)
    return `no answer within ${String(error.timeoutMs / 1000)} s`;
  if (error instanceof AggregateError && error.errors.length > 0)
    return describeHttpError(error.errors[0]);
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof Error) return describeHttpError(error.cause);
  const code = "code" in error ? String(error.code) : "";
  return reasons[code] ?? (error.message === "" ? code : error.message);
}

const hostOf = (url: string): string => new URL(url).host;
