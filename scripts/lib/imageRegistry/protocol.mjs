// What a request to one of the public names is answered with: the distribution API of a registry, the token endpoints
// before it, and the few pages of other hosts that development containers ask. Knows nothing of sockets.
import { publicName } from "./catalogue.mjs";
import { digestOf } from "./oci.mjs";

/**
 * @typedef {object} Asked
 * @property {string} host
 * @property {string} method
 * @property {URL} url
 * @property {string | undefined} authorization the header as sent
 * @typedef {object} Answer
 * @property {number} status
 * @property {Record<string, string>} [headers]
 * @property {string | Uint8Array} [body]
 * @property {{path: string, size: number}} [file] sent instead of a body
 * @typedef {{username: string, password: string}} Credentials
 */

/** Where a token is had for each host that wants one; others are open to everyone, as mcr.microsoft.com is. */
const realms = {
  "docker.io": "https://auth.docker.io/token",
  "registry-1.docker.io": "https://auth.docker.io/token",
  "index.docker.io": "https://auth.docker.io/token",
  "ghcr.io": "https://ghcr.io/token",
  "nvcr.io": "https://nvcr.io/proxy_auth",
  "quay.io": "https://quay.io/v2/auth",
};
const tokenPaths = new Set(["/token", "/proxy_auth", "/v2/auth"]);

/** @param {number} status @param {object} value @param {Record<string, string>} [headers] @returns {Answer} */
const json = (status, value, headers = {}) => ({
  status,
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify(value),
});
/** @param {number} status @param {string} code @param {string} message @param {Record<string, string>} [headers] */
const refusal = (status, code, message, headers) =>
  json(status, { errors: [{ code, message }] }, headers);

/** @param {string | undefined} header @returns {Credentials | undefined} */
export function basicOf(header) {
  const [, encoded] = /^Basic (.+)$/i.exec(header ?? "") ?? [];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, "base64").toString();
  const at = text.indexOf(":");
  return { username: text.slice(0, at), password: text.slice(at + 1) };
}

/** @param {Credentials | undefined} given @param {Credentials | undefined} wanted */
const same = (given, wanted) =>
  given !== undefined &&
  wanted !== undefined &&
  given.username === wanted.username &&
  given.password === wanted.password;

export class Protocol {
  #store;
  /** @type {Map<string, Credentials>} public name of a private repository → who may read it */
  demands = new Map();
  /** @type {Map<string, string | Uint8Array>} address without its scheme → what else is answered */
  pages = new Map([
    [
      "containers.dev/static/devcontainer-control-manifest.json",
      JSON.stringify({ disallowedFeatures: [], featureAdvisories: [] }),
    ],
    [
      "example.com/key.asc",
      "-----BEGIN PGP PUBLIC KEY BLOCK-----\nstand-in\n-----END PGP PUBLIC KEY BLOCK-----\n",
    ],
  ]);

  /** @param {import("./store.mjs").Store} store */
  constructor(store) {
    this.#store = store;
  }

  /** @param {import("./features.mjs").Feature} feature */
  addFeature(feature) {
    return this.#store.addFeature(feature);
  }

  /** @param {Asked} asked @returns {Promise<Answer>} */
  async answer(asked) {
    const { host, url } = asked;
    const page = this.pages.get(`${host}${url.pathname}`);
    if (page !== undefined)
      return {
        status: 200,
        headers: { "content-type": "application/octet-stream" },
        body: page,
      };
    const wantsToken = Object.values(realms).some(
      (realm) => new URL(realm).host === host,
    );
    if (wantsToken && tokenPaths.has(url.pathname)) return this.#token(asked);
    if (!/^\/v2(\/|$)/.test(url.pathname))
      return refusal(404, "NOT_FOUND", "nothing is answered here");
    return this.#registry(asked);
  }

  /** @param {Asked} asked a token says who asked for it; what it opens is decided when it is used */
  #token({ authorization, url }) {
    const given = basicOf(authorization);
    const known = [...this.demands.values()];
    if (given !== undefined && !known.some((wanted) => same(given, wanted)))
      return refusal(401, "UNAUTHORIZED", "incorrect username or password");
    const token = Buffer.from(
      JSON.stringify({ ...given, scope: url.searchParams.getAll("scope") }),
    ).toString("base64url");
    return json(200, { token, access_token: token, expires_in: 300 });
  }

  /** @param {Asked} asked */
  async #registry({ host, method, url, authorization }) {
    const { pathname } = url;
    const [, path, kind, reference = ""] =
      /^\/v2\/(.+)\/(manifests|blobs|tags)\/([^/]+)$/.exec(pathname) ?? [];
    const realm = realms[/** @type {keyof typeof realms} */ (host)];
    const challenge = (/** @type {string} */ scope) =>
      refusal(401, "UNAUTHORIZED", "authentication required", {
        "www-authenticate": `Bearer realm="${realm}",service="${host}"${scope}`,
      });
    const token = /^Bearer (.+)$/i.exec(authorization ?? "")?.[1];
    if (path === undefined) {
      if (realm !== undefined && token === undefined) return challenge("");
      return json(200, {});
    }
    const name = publicName(host, path);
    const scope = `,scope="repository:${path}:pull"`;
    if (realm !== undefined && token === undefined) return challenge(scope);
    const wanted = this.demands.get(name);
    if (wanted !== undefined && !same(credentialsIn(token), wanted))
      return realm === undefined
        ? refusal(403, "DENIED", "requested access to the resource is denied")
        : challenge(scope);
    if (!["GET", "HEAD"].includes(method))
      return refusal(405, "UNSUPPORTED", "nothing is pushed here");
    if (kind === "tags") return this.#tags(name, path);
    if (kind === "blobs") return this.#blob(reference);
    return this.#manifest(name, reference);
  }

  /** @param {string} name @param {string} path */
  #tags(name, path) {
    const tags = this.#store.tags(name);
    return tags.length === 0
      ? refusal(404, "NAME_UNKNOWN", `repository ${path} is not known`)
      : json(200, { name: path, tags });
  }

  /** @param {string} digest @returns {Promise<Answer>} */
  async #blob(digest) {
    const blob = await this.#store.blob(digest);
    if (blob === undefined)
      return refusal(404, "BLOB_UNKNOWN", "blob unknown to registry");
    const headers = {
      "content-type": "application/octet-stream",
      "docker-content-digest": digest,
    };
    return "path" in blob
      ? { status: 200, headers, file: blob }
      : { status: 200, headers, body: blob.body };
  }

  /** @param {string} name @param {string} reference @returns {Promise<Answer>} */
  async #manifest(name, reference) {
    const manifest = await this.#store.manifest(name, reference);
    if (manifest === undefined)
      return refusal(404, "MANIFEST_UNKNOWN", "manifest unknown");
    return {
      status: 200,
      headers: {
        "content-type": manifest.mediaType,
        "docker-content-digest": digestOf(manifest.body),
      },
      body: manifest.body,
    };
  }
}

/** @param {string | undefined} token @returns {Credentials | undefined} */
function credentialsIn(token) {
  try {
    return JSON.parse(Buffer.from(token ?? "", "base64url").toString());
  } catch {
    return undefined;
  }
}
