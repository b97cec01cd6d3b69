// Who vouches for the stand-ins of the public names: an authority of this cache's own, made once, and one certificate
// with all the names. Its key never leaves the cache folder; only tests trust it.
import { writeFile, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { cached } from "../cache.mjs";
import { run } from "../run.mjs";

/** Hosts that are answered here instead of on the internet. */
export const answeredHosts = [
  ...["registry-1.docker.io", "index.docker.io", "docker.io", "auth.docker.io"],
  ...["mcr.microsoft.com", "ghcr.io", "nvcr.io", "quay.io"],
  ...["containers.dev", "example.com"],
];

/** @returns {Promise<{ca: string, certificate: string, key: string}>} paths of PEM files */
export async function authority() {
  const folder = await cached(
    "image-registry-authority-1",
    ["ca.pem", "certificate.pem", "key.pem"],
    make,
  );
  return {
    ca: join(folder, "ca.pem"),
    certificate: join(folder, "certificate.pem"),
    key: join(folder, "key.pem"),
  };
}

/** @param {string} folder */
async function make(folder) {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const openssl = (/** @type {string[]} */ ...args) =>
    run("openssl", args, { cwd: folder });
  const newKey = [
    "req",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
  ];
  await openssl(
    ...newKey,
    ...["-x509", "-nodes", "-days", "3650", "-subj", "/CN=Guesthouse tests"],
    ...["-keyout", "ca.key", "-out", "ca.pem"],
    ...["-addext", "keyUsage=critical,keyCertSign,cRLSign"],
  );
  await openssl(
    ...newKey,
    ...["-nodes", "-subj", "/CN=stand-in", "-keyout", "key.pem"],
    ...["-out", "request.pem"],
  );
  const names = [...answeredHosts, "localhost"].map((name) => `DNS:${name}`);
  await writeFile(
    join(folder, "names"),
    `subjectAltName=${[...names, "IP:127.0.0.1"].join(",")}\nextendedKeyUsage=serverAuth\n`,
  );
  await openssl(
    ...["x509", "-req", "-in", "request.pem", "-days", "3650"],
    ...["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"],
    ...["-extfile", "names", "-out", "certificate.pem"],
  );
  for (const name of ["ca.key", "request.pem", "names"])
    await rm(join(folder, name));
}
