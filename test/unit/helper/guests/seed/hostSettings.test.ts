import { execa } from "execa";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { afterEach, beforeEach, expect, test } from "vitest";
import { hostSettings } from "../../../../../src/helper/guests/seed/hostSettings.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "host-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function makeAuthority(path: string): Promise<void> {
  await execa("openssl", [
    ...["req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2"],
    ...["-subj", "/CN=Test authority", "-keyout", "/dev/null", "-out", path],
  ]);
}

test("a host without settings has none", async () => {
  expect(await hostSettings({}, [])).toEqual({
    caCertificates: [],
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    notes: [],
  });
});

test("proxies are read in either spelling, all_proxy where nothing else is said", async () => {
  const { proxy } = await hostSettings(
    { HTTP_PROXY: "http://a:1", all_proxy: "http://b:2", no_proxy: ".x" },
    [],
  );
  expect(proxy).toEqual({
    http: "http://a:1",
    https: "http://b:2",
    noProxy: ".x",
  });
});

test.each(["http://localhost:3128", "127.0.0.1:8080", "http://[::1]:1"])(
  "a proxy on the host's own loopback is noted, not passed on: %s",
  async (url) => {
    const settings = await hostSettings({ http_proxy: url }, []);
    expect(settings.proxy).toBeUndefined();
    expect(settings.notes).toHaveLength(1);
    expect(settings.notes[0]).toContain("can't reach");
  },
);

test("own authorities are passed on once, public ones not at all", async () => {
  const own = join(folder, "own.crt");
  await makeAuthority(own);
  await copyFile(own, join(folder, "again.pem"));
  const bundle = join(folder, "bundle");
  await writeFile(bundle, rootCertificates.slice(0, 5).join("\n"));
  const { caCertificates, notes } = await hostSettings(
    { SSL_CERT_FILE: bundle, NODE_EXTRA_CA_CERTS: own },
    [folder, join(folder, "none")],
  );
  expect(caCertificates).toHaveLength(1);
  expect(caCertificates[0]).toMatch(/^-----BEGIN CERTIFICATE-----/);
  expect(notes).toEqual([]);
});

test("a broken certificate is a note, not an end", async () => {
  const bad = join(folder, "bad.crt");
  await writeFile(
    bad,
    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
  );
  const settings = await hostSettings({ NODE_EXTRA_CA_CERTS: bad }, []);
  expect(settings.caCertificates).toEqual([]);
  expect(settings.notes[0]).toContain(bad);
});
