import { X509Certificate } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { given } from "../../../base/given.ts";
import type { VariableName } from "../../../base/environmentVariables.ts";
import { isMissing, readIfPresent } from "../../../base/files.ts";

export interface ProxySettings {
  readonly http?: string;
  readonly https?: string;
  /** Comma-separated hosts that are reached without a proxy. */
  readonly noProxy?: string;
}

/** What a guest on this host's network needs to know from the host. */
export interface HostSettings {
  readonly proxy?: ProxySettings;
  /** Certificates in PEM that this host trusts beyond the usual public ones. */
  readonly caCertificates: readonly string[];
  /** IANA name, e.g. `Europe/Vienna`. */
  readonly timezone?: string;
  /** What was found but can't be passed on, each a plain sentence. */
  readonly notes: readonly string[];
}

/** Where administrators put their own authorities: Debian's ca-certificates, Fedora's ca-trust. */
const anchorFolders = [
  "/usr/local/share/ca-certificates",
  "/etc/pki/ca-trust/source/anchors",
];

/** The system's whole stores: what an administrator added to them lies in the folders above, the rest every guest has. */
const systemBundles = new Set([
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/ssl/cert.pem",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/pki/tls/cert.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
]);

const bundleVariables: readonly VariableName[] = [
  "NODE_EXTRA_CA_CERTS",
  "SSL_CERT_FILE",
  "REQUESTS_CA_BUNDLE",
  "CURL_CA_BUNDLE",
];

/** Reads proxy and certificate settings of the environment and the system. Unreadable files become notes. */
export async function hostSettings(
  env: NodeJS.ProcessEnv = process.env,
  folders: readonly string[] = anchorFolders,
): Promise<HostSettings> {
  const notes: string[] = [];
  const proxy = proxyOf(env, notes);
  const paths = bundleVariables
    .flatMap((name) => env[name] ?? [])
    .filter((path) => !systemBundles.has(path));
  for (const folder of folders)
    paths.push(...(await certificatesIn(folder, notes)));
  const found = new Map<string, string>();
  for (const path of new Set(paths)) {
    try {
      for (const [fingerprint, pem] of ownAuthorities(
        (await readIfPresent(path)) ?? "",
      ))
        found.set(fingerprint, pem);
    } catch (error) {
      notes.push(
        `The certificates in ${path} are not passed on: ${error instanceof Error ? error.message : String(error)}.`,
      );
    }
  }
  const timezone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return {
    ...given({ proxy }),
    caCertificates: [...found.values()],
    ...(timezone === "" ? {} : { timezone }),
    notes,
  };
}

function proxyOf(
  env: NodeJS.ProcessEnv,
  notes: string[],
): ProxySettings | undefined {
  const read = (name: string): string | undefined => {
    const value = env[name] ?? env[name.toUpperCase()];
    if (value === undefined || value === "") return undefined;
    if (!isLoopback(value)) return value;
    notes.push(
      `${name} points to this host itself (${hostOf(value)}), which a guest can't reach; it is not passed on.`,
    );
    return undefined;
  };
  const all = read("all_proxy");
  const http = read("http_proxy") ?? all;
  const https = read("https_proxy") ?? all;
  if (http === undefined && https === undefined) return undefined;
  const noProxy = env["no_proxy"] ?? env["NO_PROXY"];
  return {
    ...given({ http, https }),
    ...(noProxy === undefined || noProxy === "" ? {} : { noProxy }),
  };
}

const hostOf = (url: string): string => {
  try {
    return new URL(url.includes("://") ? url : `http://${url}`).hostname;
  } catch {
    return url;
  }
};

const isLoopback = (url: string): boolean =>
  /^(localhost|127\.[\d.]+|\[::1\])$/i.test(hostOf(url));

async function certificatesIn(
  folder: string,
  notes: string[],
): Promise<string[]> {
  try {
    return (await readdir(folder, { recursive: true }))
      .filter((name) => /\.(crt|pem|cer)$/i.test(name))
      .map((name) => join(folder, name));
  } catch (error) {
    if (!isMissing(error))
      notes.push(
        `The certificates in ${folder} are not passed on: ${String(error)}.`,
      );
    return [];
  }
}

/** The authorities of a PEM bundle that are not among the public ones every guest has anyway. */
function ownAuthorities(bundle: string): [string, string][] {
  const blocks =
    bundle.match(
      /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g,
    ) ?? [];
  return blocks.flatMap((pem): [string, string][] => {
    const certificate = new X509Certificate(pem);
    return publicFingerprints().has(certificate.fingerprint256)
      ? []
      : [[certificate.fingerprint256, `${pem}\n`]];
  });
}

let remembered: ReadonlySet<string> | undefined;
const publicFingerprints = (): ReadonlySet<string> =>
  (remembered ??= new Set(
    rootCertificates.map((pem) => new X509Certificate(pem).fingerprint256),
  ));
