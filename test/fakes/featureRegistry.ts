import { execa } from "execa";
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ArchiveEntry } from "./featureArchive.ts";
import { featureArchive } from "./featureArchive.ts";

/** `npm test` sees to it, and says where it is. */
const program = process.env["GUESTHOUSE_DOCKER_REGISTRY"] ?? "docker-registry";
const probe = await execa(program, ["--version"], { reject: false });

/** Why tests with a real registry can't run here; undefined when they can. */
export const missingRegistry: string | undefined =
  probe.exitCode === 0 ? undefined : "docker-registry is not there";

/** Debian's docker-registry on a port of the loopback, with a folder of its own. */
export interface FeatureRegistry {
  /** `localhost:40123`. */
  readonly name: string;
  /** Pushes a feature as publishers do, under each tag; answers with the manifest's digest. */
  push(
    repository: string,
    tags: readonly string[],
    metadata: object,
    install: string,
    more?: readonly ArchiveEntry[],
  ): Promise<string>;
  /** Nobody is asked from then on. */
  stop(): Promise<void>;
  /** On the same port, with all that was pushed. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** Whom a registry with a password knows. */
export const registryUser = { username: "me", password: "hunter2 & more" };
/** Its bcrypt hash, as htpasswd writes it. */
const userLine =
  "me:$2y$05$abcdefghijklmnopqrstuuU7OW5WwzzEDmwRVUhSaQE6HCm0zNXUC\n";
const userHeader = `Basic ${Buffer.from(`${registryUser.username}:${registryUser.password}`).toString("base64")}`;

export async function startFeatureRegistry({
  withPassword = false,
} = {}): Promise<FeatureRegistry> {
  const folder = await mkdtemp(join(tmpdir(), "registry-"));
  const port = await freePort();
  const config = join(folder, "config.json");
  const users = join(folder, "htpasswd");
  await writeFile(users, userLine);
  await writeFile(
    config,
    JSON.stringify({
      version: 0.1,
      log: { level: "error", accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: join(folder, "data") } },
      http: { addr: `127.0.0.1:${String(port)}` },
      ...(withPassword
        ? { auth: { htpasswd: { realm: "features", path: users } } }
        : {}),
    }),
  );
  let server = serve(config);
  const url = `http://127.0.0.1:${String(port)}/v2/`;
  await answering(url, server);
  const stop = async (): Promise<void> => {
    server.kill();
    await server;
  };
  return {
    name: `localhost:${String(port)}`,
    push: async (repository, tags, metadata, install, more = []) => {
      const archive = await featureArchive([
        {
          name: "./devcontainer-feature.json",
          content: JSON.stringify(metadata),
        },
        { name: "./install.sh", content: install },
        ...more,
      ]);
      const layer = await putBlob(`${url}${repository}`, archive);
      const config = await putBlob(`${url}${repository}`, Buffer.from("{}"));
      const manifest = JSON.stringify({
        schemaVersion: 2,
        mediaType: manifestType,
        config: { mediaType: "application/vnd.devcontainers", ...config },
        layers: [
          {
            mediaType: "application/vnd.devcontainers.layer.v1+tar",
            ...layer,
          },
        ],
        annotations: { "dev.containers.metadata": JSON.stringify(metadata) },
      });
      for (const tag of tags)
        await must(`${url}${repository}/manifests/${tag}`, {
          method: "PUT",
          headers: { "content-type": manifestType },
          body: manifest,
        });
      return digestOf(Buffer.from(manifest));
    },
    stop,
    restart: async () => {
      server = serve(config);
      await answering(url, server);
    },
    close: async () => {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const serve = (config: string) =>
  execa(program, ["serve", config], { reject: false, all: true });

const manifestType = "application/vnd.oci.image.manifest.v1+json";

async function putBlob(
  repository: string,
  content: Buffer,
): Promise<{ digest: string; size: number }> {
  const digest = digestOf(content);
  const begun = await must(`${repository}/blobs/uploads/`, { method: "POST" });
  const place = new URL(begun.headers.get("location") ?? "", repository);
  place.searchParams.set("digest", digest);
  await must(place.href, {
    method: "PUT",
    headers: { "content-type": "application/octet-stream" },
    body: new Uint8Array(content),
  });
  return { digest, size: content.length };
}

async function must(url: string, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers);
  // One that asks nobody for a name doesn't look at it.
  headers.set("authorization", userHeader);
  const response = await fetch(url, { ...init, headers });
  if (response.ok) return response;
  throw new Error(
    `${url}: ${String(response.status)} ${await response.text()}`,
  );
}

const digestOf = (content: Buffer): string =>
  `sha256:${createHash("sha256").update(content).digest("hex")}`;

async function answering(
  url: string,
  server: ReturnType<typeof serve>,
): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (server.exitCode !== null) break;
    if (
      await fetch(url).then(
        ({ ok, status }) => ok || status === 401,
        () => false,
      )
    )
      return;
    await new Promise((wake) => setTimeout(wake, 50));
  }
  server.kill();
  throw new Error(`docker-registry did not come up: ${(await server).all}`);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}
