import * as z from "zod";
import type { Http } from "../../images/http.ts";
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

/** One repository of an OCI registry, asked without a name or password. */
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
 * Speaks the pull half of the OCI distribution specification: where a registry asks for a token, an anonymous one is
 * fetched from where it says (encrypted, or on this computer) and shown to this registry only. Throws
 * `workspaces.featureFailed`.
 */
export function registryClient(
  http: Http,
  signal?: AbortSignal,
): RegistryClient {
  const tokens = new Map<string, string>();

  const ask = async (
    { registry, repository }: Repository,
    path: string,
    headers: Readonly<Record<string, string>>,
    maxBytes: number,
  ): Promise<Uint8Array> => {
    const scheme = isLocalHost(registry.replace(/:\d+$/, ""))
      ? "http"
      : "https";
    const url = `${scheme}://${registry}/v2/${repository}/${path}`;
    const key = `${registry}/${repository}`;
    const attempt = async (): Promise<Answer> => {
      const token = tokens.get(key);
      return fetchBytes(
        http,
        url,
        {
          headers: {
            ...headers,
            ...(token === undefined
              ? {}
              : { authorization: `Bearer ${token}` }),
          },
          maxBytes,
          alsoStatus: [401, 403, 404],
        },
        signal,
      );
    };
    let answer = await attempt();
    if (answer.status === 401 && !tokens.has(key)) {
      tokens.set(key, await anonymousToken(http, key, answer, signal));
      answer = await attempt();
    }
    if (answer.status < 300) return answer.body;
    throw fetchFailure(
      `${key}, ${path.replace("/", " ")},`,
      answer.status === 404
        ? "the registry does not have it"
        : "the registry gives it to nobody without a name and password",
    );
  };

  return {
    manifest: (of, reference) =>
      ask(
        of,
        `manifests/${reference}`,
        { accept: manifestType },
        largestManifestBytes,
      ),
    blob: (of, digest, maxBytes) => ask(of, `blobs/${digest}`, {}, maxBytes),
  };
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

async function anonymousToken(
  http: Http,
  repository: string,
  { challenge }: Answer,
  signal: AbortSignal | undefined,
): Promise<string> {
  const { realm = "", service, scope } = parseChallenge(challenge) ?? {};
  const url = URL.canParse(realm) ? new URL(realm) : undefined;
  if (url === undefined || !isSafeUrl(url))
    throw fetchFailure(
      repository,
      "the registry asks for a name and password in a way that is not known",
    );
  if (service !== undefined) url.searchParams.set("service", service);
  const [, ...path] = repository.split("/");
  url.searchParams.set("scope", scope ?? `repository:${path.join("/")}:pull`);
  const { body, status } = await fetchBytes(
    http,
    url.href,
    { maxBytes: 1024 * 1024, alsoStatus: [401, 403] },
    signal,
  );
  const answer = status < 300 ? Buffer.from(body).toString("utf8") : "{}";
  const parsed = tokenSchema.safeParse(jsonOf(answer));
  const token = parsed.data?.token ?? parsed.data?.access_token;
  // A token with a line break would be a second header.
  if (token !== undefined && /^[\x21-\x7e]+$/.test(token)) return token;
  throw fetchFailure(
    repository,
    "the registry gives it to nobody without a name and password",
  );
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
