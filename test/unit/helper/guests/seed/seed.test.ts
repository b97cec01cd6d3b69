import { execa } from "execa";
import {
  mkdtemp,
  readFile,
  readdir,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  seedFiles,
  writeSeed,
  type SeedSpec,
} from "../../../../../src/helper/guests/seed/seed.ts";

const spec: SeedSpec = {
  instanceId: "iid-1",
  hostname: "box-1",
  user: "dev",
  authorizedKeys: ["ssh-ed25519 AAAA me"],
  hostKey: {
    privateKey: "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END-----\n",
    publicKey: "ssh-ed25519 BBBB box",
  },
  macAddress: "52:54:00:AA:BB:CC",
  network: { kind: "dhcp" },
};

const parse = (text: string): Record<string, unknown> =>
  JSON.parse(text.replace(/^#cloud-config\n/, "")) as Record<string, unknown>;

test("B1: the instance id and host name are the clone's own", () => {
  expect(parse(seedFiles(spec)["meta-data"])).toEqual({
    "instance-id": "iid-1",
    "local-hostname": "box-1",
  });
});

test("B2: the network is in network-config, matched by MAC, and not in user-data", () => {
  const files = seedFiles(spec);
  expect(parse(files["network-config"])).toEqual({
    version: 2,
    ethernets: {
      eth0: {
        match: { macaddress: "52:54:00:aa:bb:cc" },
        "set-name": "eth0",
        dhcp4: true,
      },
    },
  });
  expect(files["user-data"]).not.toContain("network");
});

test("B2: without a MAC the card is matched by its driver; static addresses and IPv6 on request", () => {
  const withoutMac: SeedSpec = { ...spec };
  Reflect.deleteProperty(withoutMac, "macAddress");
  expect(
    parse(
      seedFiles({
        ...withoutMac,
        network: {
          kind: "static",
          addresses: ["10.0.2.20/24"],
          gateway: "10.0.2.2",
          nameservers: ["10.0.2.3"],
        },
      })["network-config"],
    )["ethernets"],
  ).toEqual({
    eth0: {
      match: { driver: "virtio_net" },
      dhcp4: false,
      addresses: ["10.0.2.20/24"],
      routes: [{ to: "0.0.0.0/0", via: "10.0.2.2" }],
      nameservers: { addresses: ["10.0.2.3"] },
    },
  });
  expect(
    seedFiles({ ...spec, network: { kind: "dhcp", ipv6: true } })[
      "network-config"
    ],
  ).toContain('"dhcp6": true');
});

test("B23: the host key is supplied and the image's own keys go", () => {
  const data = parse(seedFiles(spec)["user-data"]);
  expect(data).toMatchObject({
    ssh_deletekeys: true,
    ssh_keys: {
      ed25519_private: spec.hostKey.privateKey,
      ed25519_public: spec.hostKey.publicKey,
    },
    disable_root: true,
  });
  // Setting it makes cloud-init restart sshd in the middle of the first login.
  expect(data).not.toHaveProperty("ssh_pwauth");
});

test("the user gets key and sudo, no password", () => {
  expect(parse(seedFiles(spec)["user-data"])).toMatchObject({
    users: ["default"],
    user: {
      name: "dev",
      lock_passwd: true,
      sudo: ["ALL=(ALL) NOPASSWD:ALL"],
      ssh_authorized_keys: spec.authorizedKeys,
    },
  });
  expect(
    parse(seedFiles({ ...spec, user: "root" })["user-data"]),
  ).toMatchObject({ disable_root: false });
});

test("proxy, certificates and time zone are passed on when set, else not a word", () => {
  const plain = parse(seedFiles(spec)["user-data"]);
  expect(plain).not.toHaveProperty("write_files");
  expect(plain).not.toHaveProperty("runcmd");
  expect(plain).not.toHaveProperty("timezone");
  const text = seedFiles({
    ...spec,
    proxy: { http: "http://p:3128", noProxy: ".local" },
    caCertificates: ["PEM\n"],
    timezone: "Europe/Vienna",
  })["user-data"];
  const data = parse(text);
  expect(data).toMatchObject({
    timezone: "Europe/Vienna",
    runcmd: [["sh", "/var/lib/guesthouse/trust-authorities.sh"]],
  });
  expect(text).toContain(
    '"path": "/usr/local/share/ca-certificates/guesthouse-0.crt"',
  );
  // It would hash every certificate of the system before sshd may start.
  expect(data).not.toHaveProperty("ca_certs");
  expect(text).toContain('HTTP_PROXY=\\"http://p:3128\\"');
  expect(text).toContain('no_proxy=\\".local\\"');
  expect(text).toContain('Acquire::http::Proxy \\"http://p:3128\\";');
  expect(text).not.toContain("https_proxy");
});

describe("B3: a seed that can't be made is an error, and nothing is left behind", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "seed-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test.each<[string, Partial<SeedSpec>]>([
    ["an empty instance id", { instanceId: "" }],
    ["a host name with shell characters", { hostname: "a;rm" }],
    ["a user name with a space", { user: "a b" }],
    ["no key to log in with", { authorizedKeys: [] }],
  ])("%s", async (_, wrong) => {
    await expect(
      writeSeed(join(folder, "seed.iso"), { ...spec, ...wrong }),
    ).rejects.toMatchObject({ failure: { code: "machines.seedFailed" } });
    expect(await readdir(folder)).toEqual([]);
  });

  test("a folder that is not there", async () => {
    await expect(
      writeSeed(join(folder, "none", "seed.iso"), spec),
    ).rejects.toMatchObject({
      failure: { code: "machines.seedFailed", kind: "failed" },
    });
  });

  test("a seed that stands already is replaced whole, readable by its owner only", async () => {
    const path = join(folder, "seed.iso");
    await writeFile(path, "old");
    await writeSeed(path, spec);
    expect((await readFile(path)).toString("latin1")).toContain("iid-1");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(["seed.iso"]);
  });

  test("one that a QEMU has open is written over in place, with its length kept", async () => {
    const path = join(folder, "open.iso");
    await writeSeed(path, { ...spec, hostname: "x".repeat(63) });
    const before = await stat(path);
    await writeSeed(path, { ...spec, hostname: "north" }, "over");
    const after = await stat(path);
    expect([after.ino, after.size]).toEqual([before.ino, before.size]);
    const text = (await readFile(path)).toString("latin1");
    expect(text).toContain('"local-hostname": "north"');
    expect(text).not.toContain("xxx");
    const authorizedKeys = ["ssh-ed25519 ".padEnd(9_000, "A")];
    await expect(
      writeSeed(path, { ...spec, authorizedKeys }, "over"),
    ).rejects.toMatchObject({ failure: { code: "machines.seedFailed" } });
    await rm(path);
  });
});

/** cloud-init reads YAML with PyYAML; so do we, where Python has it. */
const yamlReader = await execa("python3", ["-c", "import yaml"], {
  reject: false,
});

test.skipIf(yamlReader.exitCode !== 0)(
  "cloud-init's YAML reader understands it, unusual characters included (skipped without python3-yaml)",
  async () => {
    const odd = "ssh-ed25519 AAAA ü\u007f\u2028\ufeff😀 \"q\" 'x' {#}: & * \\";
    const files = seedFiles({ ...spec, authorizedKeys: [odd] });
    const { stdout } = await execa(
      "python3",
      [
        "-c",
        "import sys,json,yaml; print(json.dumps(yaml.safe_load(sys.stdin.read())))",
      ],
      { input: files["user-data"], env: { PYTHONIOENCODING: "utf-8" } },
    );
    expect(JSON.parse(stdout)).toEqual(parse(files["user-data"]));
    expect(JSON.parse(stdout).user.ssh_authorized_keys).toEqual([odd]);
  },
);
