import * as z from "zod";
import { given } from "../../../base/given.ts";
import type { Http } from "../../net/http.ts";
import type { Credentials, FindCredentials } from "./credentials.ts";
import { type Answer, fetchBytes, fetchFailure } from "./download.ts";
import { isLocalHost, isSafeUrl } from "./reference.ts";

const manifestType = "application/vnd.oci.image.manifest.v1+json";
const layerType = "application/vnd.devcontainers.layer.v1+tar";
const largestManifestBytes = 4 * 1024 * 1024;

const manifestSchema = z.object({
  layers: z.array(
    z.object({
      mediaType: z.string(),
      digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
      size: z.number().int().nonnegative(),
    }),
  ),
});
const tokenSchema = z.object({
  token: z.string().optional(),
  access_token: z.string().optional(),
});

/** One repository of an OCI registry. */
export interface Repository {
  readonly registry: string;
  readonly repository: string;
}

export interface RegistryClient {
  /** The manifest's bytes, by tag or digest. */
  manifest(of: Repository, reference: string): Promise<Uint8Array>;
  blob(of: Repository, digest: string, maxBytes: number): Promise<Uint8Array>;
}

/**
 * Speaks the pull half of the OCI distribution specification. A registry is asked without a name; where it wants a token,
 * an anonymous one is fetched from where it says (encrypted, or on this computer). Only one that refuses that gets the name
 * and password that this computer has for it, and nobody else does: neither a server of tokens in another domain, nor the
 * store that a redirect leads to. Throws `workspaces.featureFailed`.
 */
export function registryClient(
  http: Http,
  credentials: FindCredentials | undefined,
  signal?: AbortSignal,
): RegistryClient {
  const asking: Asking = { http, credentials, shown: new Map(), signal };
  return {
    manifest: (of, reference) =>
      ask(asking, of, {
        path: `manifests/${reference}`,
        headers: { accept: manifestType },
        maxBytes: largestManifestBytes,
      }),
    blob: (of, digest, maxBytes) =>
      ask(asking, of, { path: `blobs/${digest}`, headers: {}, maxBytes }),
  };
}

/** What one client asks with, and what it has shown. */
interface Asking {
  readonly http: Http;
  readonly credentials: FindCredentials | undefined;
  /** Repository → what is shown to its registry, and whether that holds the user's name. */
  readonly shown: Map<string, Shown>;
  readonly signal: AbortSignal | undefined;
}

interface Shown {
  /** The header's value; undefined where there was no token for the name. */
  readonly authorization?: string;
  readonly named: boolean;
}

const isRefusal = ({ status }: Answer): boolean =>
  status === 401 || status === 403;

interface Question {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly maxBytes: number;
}

async function ask(
  asking: Asking,
  of: Repository,
  question: Question,
): Promise<Uint8Array> {
  const { http, credentials, shown, signal } = asking;
  const key = `${of.registry}/${of.repository}`;
  let answer = await attempt(asking, of, question);
  const { challenge } = answer;
  if (answer.status === 401 && !shown.has(key)) {
    const token = await anonymousToken(http, key, answer, signal);
    if (token !== undefined) {
      shown.set(key, token);
      answer = await attempt(asking, of, question);
    }
  }
  if (isRefusal(answer) && shown.get(key)?.named !== true) {
    const known = await credentials?.(of.registry, signal);
    const named =
      known === undefined
        ? undefined
        : await namedAccess(
            http,
            { repository: key, challenge: answer.challenge ?? challenge },
            known,
            signal,
          );
    if (named !== undefined) {
      shown.set(key, named);
      answer = await attempt(asking, of, question);
    }
  }
  if (answer.status < 300) return answer.body;
  throw fetchFailure(
    `${key}, ${question.path.replace("/", " ")},`,
    answer.status === 404
      ? "the registry does not have it"
      : shown.get(key)?.named === true
        ? "the registry refuses the name and password that this computer has for it"
        : "the registry gives it to nobody without a name and password, and docker login has kept none for it here",
  );
}

/** Asks once, with what is shown to this registry by now. */
function attempt(
  { http, shown, signal }: Asking,
  { registry, repository }: Repository,
  { path, headers, maxBytes }: Question,
): Promise<Answer> {
  const scheme = isLocalHost(registry.replace(/:\d+$/, "")) ? "http" : "https";
  const authorization = shown.get(`${registry}/${repository}`)?.authorization;
  return fetchBytes(
    http,
    `${scheme}://${registry}/v2/${repository}/${path}`,
    {
      headers: {
        ...headers,
        ...given({ authorization }),
      },
      maxBytes,
      alsoStatus: [401, 403, 404],
    },
    signal,
  );
}

/** The layer that is the feature's archive. Throws `workspaces.featureFailed` for what is no feature. Pure. */
export function featureLayer(
  manifest: Uint8Array,
  feature: string,
): { readonly digest: string; readonly size: number } {
  try {
    const text = Buffer.from(manifest).toString("utf8");
    const { layers } = manifestSchema.parse(JSON.parse(text));
    const layer = layers.find(({ mediaType }) => mediaType === layerType);
    if (layer !== undefined) return layer;
  } catch {
    // Said below.
  }
  throw fetchFailure(feature, "what the registry has there is no feature");
}

/** `Bearer realm="https://…",service="…",scope="…"`, by name. Pure. */
export function parseChallenge(
  header: string | undefined,
): Readonly<Record<string, string>> | undefined {
  const [, rest] = /^\s*Bearer\s+(.*)$/i.exec(header ?? "") ?? [];
  if (rest === undefined) return undefined;
  const fields = [
    ...rest.matchAll(/([a-z_]+)\s*=\s*(?:"([^"]*)"|([^\s,]+))/gi),
  ];
  return Object.fromEntries(
    fields.map(([, name = "", quoted, plain]) => [
      name.toLowerCase(),
      quoted ?? plain ?? "",
    ]),
  );
}

/** Undefined where the registry wants a name, or says nothing of tokens. */
async function anonymousToken(
  http: Http,
  repository: string,
  answer: Answer,
  signal: AbortSignal | undefined,
): Promise<Shown | undefined> {
  const realm = realmOf(repository, answer);
  const token =
    realm === undefined ? undefined : await fetchToken(http, realm, {}, signal);
  return token === undefined
    ? undefined
    : { authorization: `Bearer ${token}`, named: false };
}

/** The name and password themselves where the registry wants them, else the token that it gives for them. */
async function namedAccess(
  http: Http,
  answer: Pick<Answer, "challenge"> & { readonly repository: string },
  { username, password }: Credentials,
  signal: AbortSignal | undefined,
): Promise<Shown | undefined> {
  const { repository } = answer;
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  if (/^\s*Basic\b/i.test(answer.challenge ?? ""))
    return { authorization, named: true };
  const realm = realmOf(repository, answer);
  if (realm === undefined) return undefined;
  if (!isOfRegistry(realm.hostname, repository.replace(/\/.*$/s, "")))
    throw fetchFailure(
      repository,
      `the registry wants your name and password sent to ${realm.host}, which is another's`,
    );
  const token = await fetchToken(http, realm, { authorization }, signal);
  return token === undefined
    ? { named: true }
    : { authorization: `Bearer ${token}`, named: true };
}

/** Its own host, or one in the domain that it is in: `auth.docker.io` of `registry-1.docker.io`. Pure. */
export function isOfRegistry(hostname: string, registry: string): boolean {
  const host = registry.replace(/:\d+$/, "");
  if (hostname === host) return true;
  const [, domain] = /^[^.]+\.(.+\..*[a-z].*)$/.exec(host) ?? [];
  return (
    domain !== undefined &&
    (hostname === domain || hostname.endsWith(`.${domain}`))
  );
}

/** Where a registry gives tokens; undefined where it has none. */
function realmOf(
  repository: string,
  { challenge }: Pick<Answer, "challenge">,
): URL | undefined {
  const fields = parseChallenge(challenge);
  if (fields === undefined) return undefined;
  const { realm = "", service, scope } = fields;
  const url = URL.canParse(realm) ? new URL(realm) : undefined;
  if (url === undefined || !isSafeUrl(url))
    throw fetchFailure(
      repository,
      "the registry asks for a name and password in a way that is not known",
    );
  if (service !== undefined) url.searchParams.set("service", service);
  const [, ...path] = repository.split("/");
  url.searchParams.set("scope", scope ?? `repository:${path.join("/")}:pull`);
  return url;
}

/** Undefined where it is refused. */
async function fetchToken(
  http: Http,
  realm: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const { body, status } = await fetchBytes(
    http,
    realm.href,
    { headers, maxBytes: 1024 * 1024, alsoStatus: [401, 403] },
    signal,
  );
  const answer = status < 300 ? Buffer.from(body).toString("utf8") : "{}";
  const parsed = tokenSchema.safeParse(jsonOf(answer));
  const token = parsed.data?.token ?? parsed.data?.access_token;
  // A token with a line break would be a second header.
  return token !== undefined && /^[\x21-\x7e]+$/.test(token)
    ? token
    : undefined;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
