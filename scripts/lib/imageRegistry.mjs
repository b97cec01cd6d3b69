// Public registries without the internet: stand-in images and features, made once and kept in the cache folder, and an
// HTTP proxy on the loopback that answers as mcr.microsoft.com, ghcr.io, Docker Hub, nvcr.io, quay.io, containers.dev
// and example.com. What uses it needs two things: the proxy's address, and the authority among those that it trusts.
import { readFile } from "node:fs/promises";
import { startAnswerer } from "./imageRegistry/answerer.mjs";
import { authority } from "./imageRegistry/authority.mjs";
import { images } from "./imageRegistry/images.mjs";
import { Protocol } from "./imageRegistry/protocol.mjs";
import { Store } from "./imageRegistry/store.mjs";

/** @import { Credentials } from "./imageRegistry/protocol.mjs" */
/** @import { Feature } from "./imageRegistry/features.mjs" */
/** @import { Request } from "./imageRegistry/answerer.mjs" */

/**
 * @typedef {object} ImageRegistry
 * @property {string} proxy `http://127.0.0.1:40123`
 * @property {number} port the proxy's
 * @property {number} securePort answers the public names directly by TLS, for whoever points the names at an address
 * @property {string} caFile PEM of the authority
 * @property {string} ca the same as text
 * @property {(at?: string) => Record<string, string>} env variables for a program on this computer; with the proxy's
 *   address as seen from elsewhere (`http://10.0.2.2:40123`), for a program there
 * @property {Request[]} requests all that was asked, the oldest first; empty it to count anew
 * @property {(repository: string, credentials: Credentials) => void} demand makes a repository private
 *   (`ghcr.io/acme/private`): Basic credentials at the token endpoint, then a Bearer token
 * @property {(feature: Feature) => Promise<void>} addFeature
 * @property {(address: string, body: string | Uint8Array) => void} addPage an address of an answered host, without its
 *   scheme: `example.com/setup.sh`
 * @property {() => Promise<void>} close
 */

/**
 * Starts it, and makes the images before where the cache hasn't got them: minutes, the first time.
 * @param {{address?: string, port?: number, onward?: boolean}} [options] address it listens on; whether connections to
 *   other hosts (a distribution's mirror) are handed on
 * @returns {Promise<ImageRegistry>}
 */
export async function startImageRegistry({
  address = "127.0.0.1",
  port = 0,
  onward = true,
} = {}) {
  const identity = await authority();
  const protocol = new Protocol(await Store.open(await images()));
  const answerer = await startAnswerer(protocol, identity, {
    address,
    port,
    onward,
  });
  const proxy = `http://127.0.0.1:${answerer.port}`;
  return {
    proxy,
    port: answerer.port,
    securePort: answerer.securePort,
    caFile: identity.ca,
    ca: await readFile(identity.ca, "utf8"),
    env: (at = proxy) => ({
      HTTPS_PROXY: at,
      https_proxy: at,
      NO_PROXY: "localhost,127.0.0.1,::1",
      no_proxy: "localhost,127.0.0.1,::1",
      NODE_EXTRA_CA_CERTS: identity.ca,
    }),
    requests: answerer.requests,
    demand: (repository, credentials) =>
      void protocol.demands.set(repository, credentials),
    addFeature: (feature) => protocol.addFeature(feature),
    addPage: (at, body) => void protocol.pages.set(at, body),
    close: answerer.close,
  };
}
