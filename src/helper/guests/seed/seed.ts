import { given } from "../../../base/given.ts";
import { replaceFile } from "../../../base/files.ts";
import { open } from "node:fs/promises";
import { failed } from "../../../protocol/failure.ts";
import type { KeyPair } from "../../ssh/keys.ts";
import type { ProxySettings } from "./hostSettings.ts";
import { isoVolume } from "./iso9660.ts";

export type SeedNetwork =
  | { readonly kind: "dhcp"; readonly ipv6?: boolean }
  | {
      readonly kind: "static";
      /** With prefix length, e.g. `10.0.2.15/24`; IPv6 too. */
      readonly addresses: readonly string[];
      readonly gateway?: string;
      readonly nameservers?: readonly string[];
    };

/** Everything that makes one clone itself. */
export interface SeedSpec {
  /** New for every clone: cloud-init runs its per-instance steps only for an id it has not seen (B1). */
  readonly instanceId: string;
  readonly hostname: string;
  readonly user: string;
  /** Public key lines. */
  readonly authorizedKeys: readonly string[];
  readonly hostKey: KeyPair;
  /** `52:54:00:…`; without it the network card is matched by its driver. */
  readonly macAddress?: string;
  readonly network: SeedNetwork;
  readonly proxy?: ProxySettings;
  readonly caCertificates?: readonly string[];
  readonly timezone?: string;
}

/**
 * `replace`: in one step, a reader sees a whole seed or none (B3). `over`: into the same file, which a QEMU holds open; it
 * keeps its length, so the seed before must not have been shorter.
 */
export type SeedWriting = "replace" | "over";

/**
 * Writes a NoCloud volume (label `cidata`) with `meta-data`, `user-data` and `network-config`. Throws `machines.seedFailed` when it can't be made; never falls back to another seed.
 * Source: https://docs.cloud-init.io/en/latest/reference/datasources/nocloud.html
 */
export const writeSeed = (
  path: string,
  spec: SeedSpec,
  way: SeedWriting = "replace",
): Promise<void> =>
  writeVolume(path, spec.hostname, () => seedFiles(spec), way);

/** The same of files that somebody else lays out; `name` is the machine's, for messages. */
export async function writeVolume(
  path: string,
  name: string,
  filesOf: () => Readonly<Record<string, string>>,
  way: SeedWriting = "replace",
): Promise<void> {
  try {
    const files = Object.entries(filesOf());
    const volume = isoVolume(
      "cidata",
      files.map(([file, content]) => ({ name: file, content })),
    );
    await (way === "replace" ? replaceFile : writeOver)(path, volume);
  } catch (error) {
    throw failed(
      "machines.seedFailed",
      `The seed that gives “${name}” its identity can't be written: ${error instanceof Error ? error.message : String(error)}.`,
      {
        remedy:
          "Check that the data folder can be written and has room, then try again.",
        actions: ["retry", "doctor"],
        cause: error,
      },
    );
  }
}

async function writeOver(path: string, volume: Buffer): Promise<void> {
  const file = await open(path, "r+");
  try {
    const { size } = await file.stat();
    if (size < volume.length)
      throw new Error(
        `${String(volume.length)} bytes don't fit into its ${String(size)}`,
      );
    const whole = Buffer.alloc(size);
    volume.copy(whole);
    await file.write(whole, 0, size, 0);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The three files as text. Pure; throws a plain `Error` on values that no guest could use. */
export function seedFiles(
  spec: SeedSpec,
): Record<"meta-data" | "user-data" | "network-config", string> {
  check(spec);
  return {
    "meta-data": yaml({
      "instance-id": spec.instanceId,
      "local-hostname": spec.hostname,
    }),
    "user-data": `#cloud-config\n${yaml(userData(spec))}`,
    "network-config": yaml(networkConfig(spec)),
  };
}

/** JSON is YAML; PyYAML refuses the control characters that JSON leaves unescaped. */
export const yaml = (value: unknown): string =>
  `${JSON.stringify(value, null, 2).replace(
    /[\u007f-\u009f\u2028\u2029\ufeff]/g,
    (character) =>
      `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  )}\n`;

function check(spec: SeedSpec): void {
  if (spec.instanceId === "") throw new Error("the instance id is empty");
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(spec.hostname))
    throw new Error(`“${spec.hostname}” is not a host name`);
  // As useradd(8) takes it.
  if (!/^[a-z_][a-z0-9_-]{0,31}$/.test(spec.user))
    throw new Error(`“${spec.user}” is not a user name`);
  if (spec.authorizedKeys.length === 0)
    throw new Error("there is no key to log in with");
}

function userData(spec: SeedSpec): object {
  const authorities = authorityFiles(spec.caCertificates ?? []);
  const files = [...proxyFiles(spec.proxy), ...authorities];
  return {
    hostname: spec.hostname,
    preserve_hostname: false,
    // A host name missing from /etc/hosts makes sudo wait for a name server.
    manage_etc_hosts: "localhost",
    // `user` renames the distribution's default user, whose shell and groups fit the image.
    users: ["default"],
    user: {
      name: spec.user,
      lock_passwd: true,
      sudo: ["ALL=(ALL) NOPASSWD:ALL"],
      ssh_authorized_keys: spec.authorizedKeys,
    },
    disable_root: spec.user !== "root",
    // Keys of the image go, ours is the only one (B23).
    ssh_deletekeys: true,
    ssh_keys: {
      ed25519_private: spec.hostKey.privateKey,
      ed25519_public: spec.hostKey.publicKey,
    },
    ssh: { emit_keys_to_console: false },
    no_ssh_fingerprints: true,
    ...given({ timezone: spec.timezone }),
    ...(authorities.length === 0 ? {} : { runcmd: [["sh", trustScript]] }),
    ...(files.length === 0 ? {} : { write_files: files }),
  };
}

/** For everything that logs in (pam_env reads it) and for apt, which reads no environment under sudo. */
function proxyFiles(proxy: ProxySettings | undefined): object[] {
  if (proxy === undefined) return [];
  const variables = [
    ["http_proxy", proxy.http],
    ["https_proxy", proxy.https],
    ["no_proxy", proxy.noProxy],
  ].flatMap(([name, value]) =>
    name === undefined || value === undefined
      ? []
      : [`${name}="${value}"`, `${name.toUpperCase()}="${value}"`],
  );
  const apt = [
    ["http", proxy.http],
    ["https", proxy.https],
  ].flatMap(([scheme, url]) =>
    scheme === undefined || url === undefined
      ? []
      : [`Acquire::${scheme}::Proxy "${url}";`],
  );
  return [
    {
      path: "/etc/environment",
      append: true,
      content: lines(["# Proxy of the host, by Guesthouse", ...variables]),
    },
    {
      path: "/etc/apt/apt.conf.d/95guesthouse-proxy",
      content: lines(apt),
    },
  ];
}

const trustScript = "/var/lib/guesthouse/trust-authorities.sh";

/**
 * Certificates that the host trusts, for the guest to trust too. Not by cloud-init's `ca_certs`, which hashes every
 * certificate of the system anew before sshd may start: two minutes under emulation. Ours are added to what is there;
 * a later update-ca-certificates finds them in their proper place.
 */
function authorityFiles(certificates: readonly string[]): object[] {
  if (certificates.length === 0) return [];
  const folder = "/usr/local/share/ca-certificates";
  return [
    ...certificates.map((content, i) => ({
      path: `${folder}/guesthouse-${String(i)}.crt`,
      content: content.endsWith("\n") ? content : `${content}\n`,
    })),
    {
      path: trustScript,
      permissions: "0755",
      content: lines([
        "#!/bin/sh",
        "set -eu",
        "anchors=/etc/pki/ca-trust/source/anchors",
        "store=/etc/ssl/certs",
        `for certificate in ${folder}/guesthouse-*.crt; do`,
        '  if [ -d "$anchors" ]; then cp "$certificate" "$anchors/"; continue; fi',
        // A clone of a clone runs this again over what its parent did.
        '  grep -qF "$(sed -n 2p "$certificate")" "$store/ca-certificates.crt" && continue',
        '  cat "$certificate" >> "$store/ca-certificates.crt"',
        "  command -v openssl > /dev/null || continue",
        '  name=$(openssl x509 -noout -subject_hash -in "$certificate")',
        "  n=0",
        '  while [ -e "$store/$name.$n" ]; do n=$((n + 1)); done',
        '  ln -s "$certificate" "$store/$name.$n"',
        "done",
        'if [ -d "$anchors" ]; then update-ca-trust; fi',
      ]),
    },
  ];
}

const lines = (all: readonly string[]): string =>
  all.map((line) => `${line}\n`).join("");

/** Network settings are silently ignored anywhere but in `network-config` (B2). Version 2, as netplan spells it. */
function networkConfig(spec: SeedSpec): object {
  const { network, macAddress } = spec;
  const addressing =
    network.kind === "dhcp"
      ? { dhcp4: true, ...(network.ipv6 === true ? { dhcp6: true } : {}) }
      : {
          dhcp4: false,
          addresses: network.addresses,
          ...(network.gateway === undefined
            ? {}
            : { routes: [{ to: "0.0.0.0/0", via: network.gateway }] }),
          ...(network.nameservers === undefined
            ? {}
            : { nameservers: { addresses: network.nameservers } }),
        };
  // With a MAC the card is named by us, so that every renderer of cloud-init finds it, the ones without `match` too.
  const match =
    macAddress === undefined
      ? { match: { driver: "virtio_net" } }
      : {
          match: { macaddress: macAddress.toLowerCase() },
          "set-name": "eth0",
        };
  return { version: 2, ethernets: { eth0: { ...match, ...addressing } } };
}
