import { existsSync } from "node:fs";
import {
  mkdir,
  readdir,
  readFile,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import {
  afterAll,
  beforeAll,
  beforeEach,
  describe,
  expect,
  test,
} from "vitest";
import { createHttp } from "../../../src/helper/net/http.ts";
import { readConfiguration } from "../../../src/helper/workspaces/devcontainer/read.ts";
import {
  featuresOfFolder,
  lockFolder,
  pinsOf,
} from "../../../src/helper/workspaces/features/ofFolder.ts";
import type { Resolution } from "../../../src/helper/workspaces/features/resolve.ts";
import { featureArchive } from "../../fakes/featureArchive.ts";
import {
  type FeatureRegistry,
  missingRegistry,
  startFeatureRegistry,
} from "../../fakes/featureRegistry.ts";
import { scratch } from "../../fakes/scratch.ts";

const http = createHttp({});
const signal = new AbortController().signal;
let folder: string;
let layout: { cache: string };

beforeEach(async () => {
  const root = await scratch();
  folder = join(root, "project");
  layout = { cache: join(root, "cache") };
  await mkdir(join(folder, ".devcontainer"), { recursive: true });
});
afterAll(() => http.close());

const put = (file: object): Promise<void> =>
  writeFile(
    join(folder, ".devcontainer", "devcontainer.json"),
    JSON.stringify(file),
  );
async function resolve(
  features: Record<string, unknown>,
  kept: Record<string, string> = {},
): Promise<Resolution> {
  await put({ features });
  const configuration = await readConfiguration(folder);
  const deps = { http, layout };
  return featuresOfFolder(
    configuration,
    { file: configuration.file, kept },
    deps,
    signal,
  );
}

describe.skipIf(missingRegistry !== undefined)(
  `features of a real registry (${missingRegistry ?? "Debian's"})`,
  () => {
    let registry: FeatureRegistry;
    let [older, newer] = ["", ""];
    let tool: string;

    beforeAll(async () => {
      registry = await startFeatureRegistry();
      tool = `${registry.name}/acme/features/tool`;
      const push = (version: string, tags: string[]): Promise<string> =>
        registry.push(
          "acme/features/tool",
          tags,
          {
            id: "tool",
            version,
            dependsOn: { [`${registry.name}/acme/base`]: {} },
          },
          "#!/bin/sh\n",
        );
      await registry.push(
        ...([
          "acme/base",
          ["latest"],
          { id: "base", version: "0.1.0" },
          "",
        ] as const),
      );
      older = await push("1.2.3", ["1", "1.2", "1.2.3"]);
      newer = await push("2.0.0", ["2", "2.0", "2.0.0", "latest"]);
    });
    afterAll(() => registry.close());

    test("by tag, by digest, without either; from the cache once the digest is known", async () => {
      const digest = async (reference: string): Promise<string | undefined> =>
        (await resolve({ [reference]: {} })).features[1]?.digest;
      expect(await digest(tool)).toBe(newer);
      expect(await digest(`${tool}:1.2`)).toBe(older);
      expect(await digest(`${tool}:1`)).toBe(older);
      expect(await digest(`${tool}@${older}`)).toBe(older);
      await expect(digest(`${tool}:3`)).rejects.toThrow(
        /manifests 3, could not be fetched: the registry does not have it/,
      );
      const files = await readdir(join(layout.cache, "features"));
      expect(files).toHaveLength(6);
      for (const file of files) expect(file).toMatch(/^sha256-[0-9a-f]{64}$/);
      const { mode } = await stat(
        join(layout.cache, "features", files[0] ?? ""),
      );
      expect(mode & 0o777).toBe(0o600);
    });

    test("a lockfile is written when asked for, obeyed, and moved on only by itself", async () => {
      await put({ features: { [tool]: { version: "x" } } });
      const lock = async (): Promise<unknown> =>
        lockFolder(await readConfiguration(folder), { http, layout }, signal);
      expect(await lock()).toMatchObject({
        path: join(folder, ".devcontainer", "devcontainer-lock.json"),
      });
      const path = join(folder, ".devcontainer", "devcontainer-lock.json");
      expect(JSON.parse(await readFile(path, "utf8"))).toMatchObject({
        features: {
          [tool]: {
            version: "2.0.0",
            resolved: `${tool}@${newer}`,
            integrity: newer,
            dependsOn: [`${registry.name}/acme/base`],
          },
        },
      });
      const locked = (await readFile(path, "utf8")).replaceAll(newer, older);
      await writeFile(path, locked);
      expect((await resolve({ [tool]: {} })).features[1]?.digest).toBe(older);
      const { notes } = await resolve({ [`${tool}:1`]: {} });
      expect(notes.join()).toContain(`lacks ${tool}:1`);
      await writeFile(
        path,
        locked.replaceAll(older, `sha256:${"0".repeat(64)}`),
      );
      await expect(resolve({ [tool]: {} })).rejects.toThrow(/does not have it/);
    });

    test("a lockfile that is a link out of the folder is neither read nor written through", async () => {
      const path = join(folder, ".devcontainer", "devcontainer-lock.json");
      const beyond = join(folder, "..", "beyond.json");
      await writeFile(beyond, "{}");
      await symlink(beyond, path);
      await expect(resolve({ [tool]: {} })).rejects.toThrow(/leads out of/);
      await lockFolder(
        await readConfiguration(folder),
        { http, layout },
        signal,
      );
      expect(await readFile(beyond, "utf8")).toBe("{}");
    });

    test("an archive that writes outside is refused, and nothing is on the host", async () => {
      const witness = join(folder, "..", "witness");
      await registry.push("acme/evil", ["latest"], { id: "evil" }, "", [
        { name: `../../../../../../../..${witness}`, content: "here" },
      ]);
      await registry.push("acme/link", ["latest"], { id: "link" }, "", [
        { name: "l", type: "symlink", linkname: join(folder, "..") },
        { name: "l/witness", content: "here" },
      ]);
      for (const name of ["evil", "link"])
        await expect(
          resolve({ [`${registry.name}/acme/${name}`]: {} }),
        ).rejects.toThrow(/its archive holds “/);
      expect(existsSync(witness)).toBe(false);
    });

    test("what a VM was made with needs no registry any more; a damaged copy does", async () => {
      const first = await resolve({ [tool]: {} });
      await registry.stop();
      const again = await resolve({ [tool]: {} }, pinsOf(first));
      expect(again.features.map(({ identity }) => identity)).toEqual(
        first.features.map(({ identity }) => identity),
      );
      expect((await again.features[1]?.archive())?.length).toBeGreaterThan(512);
      const path = join(layout.cache, "features", newer.replace(":", "-"));
      await writeFile(path, "damaged");
      await expect(resolve({ [tool]: {} }, pinsOf(first))).rejects.toThrow(
        /could not be fetched: nobody accepts connections there/,
      );
    });
  },
);

describe("a registry that asks for a token, and archives by their address", () => {
  let server: Server;
  let port = 0;
  let seen: string[] = [];
  let files: Record<string, Buffer | string> = {};
  let redirect: string | undefined;

  beforeAll(async () => {
    server = createServer((request, response) => {
      const path = request.url ?? "";
      seen.push(`${path} ${request.headers.authorization ?? "-"}`);
      if (path.startsWith("/token"))
        response.end(JSON.stringify({ token: "anonymous.token" }));
      else if (
        path.startsWith("/v2/") &&
        request.headers.authorization !== "Bearer anonymous.token"
      )
        response
          .writeHead(401, {
            "www-authenticate": `Bearer realm="http://127.0.0.1:${String(port)}/token",service="here",scope="repository:a/b:pull"`,
          })
          .end();
      else if (path === "/moved.tgz")
        response.writeHead(302, { location: redirect }).end();
      else if (files[path] === undefined) response.writeHead(404).end();
      else response.end(files[path]);
    });
    await new Promise<void>((done) => server.listen(0, done));
    port = (server.address() as AddressInfo).port;
  });
  beforeEach(() => {
    seen = [];
    files = {};
  });
  afterAll(() => server.close());

  const archive = (): Promise<Buffer> =>
    featureArchive([
      { name: "devcontainer-feature.json", content: '{"id":"b"}' },
      { name: "install.sh" },
    ]);

  test("the token is fetched without a name, and shown to the registry", async () => {
    const { createHash } = await import("node:crypto");
    const layer = await archive();
    const hex = createHash("sha256").update(layer).digest("hex");
    files[`/v2/a/b/blobs/sha256:${hex}`] = layer;
    files["/v2/a/b/manifests/1"] = JSON.stringify({
      layers: [
        {
          mediaType: "application/vnd.devcontainers.layer.v1+tar",
          digest: `sha256:${hex}`,
          size: layer.length,
        },
      ],
    });
    const reference = `127.0.0.1:${String(port)}/a/b:1`;
    expect((await resolve({ [reference]: {} })).features).toHaveLength(1);
    expect(seen).toEqual([
      "/v2/a/b/manifests/1 -",
      "/token?service=here&scope=repository%3Aa%2Fb%3Apull -",
      "/v2/a/b/manifests/1 Bearer anonymous.token",
      `/v2/a/b/blobs/sha256:${hex} Bearer anonymous.token`,
    ]);
    // Something else under this digest.
    files[`/v2/a/b/blobs/sha256:${hex}`] = "evil";
    layout = { cache: join(layout.cache, "other") };
    await expect(resolve({ [reference]: {} })).rejects.toThrow(
      /what came has the digest sha256:\w+, and sha256:\w+ was expected/,
    );
  });

  test("an archive's address; its digest is what a lockfile pins", async () => {
    files["/f.tgz"] = await archive();
    const url = `http://127.0.0.1:${String(port)}/f.tgz`;
    const first = await resolve({ [url]: {} });
    expect(first.features[0]?.metadata.id).toBe("b");
    files["/f.tgz"] = Buffer.concat([await archive(), Buffer.alloc(512)]);
    layout = { cache: join(layout.cache, "other") };
    await expect(resolve({ [url]: {} }, pinsOf(first))).rejects.toThrow(
      /what came has the digest/,
    );
    files["/f.tgz"] = "<html>";
    await expect(resolve({ [url]: {} })).rejects.toThrow(/can't be used/);
  });

  test("is not followed to where nothing is encrypted", async () => {
    files["/f.tgz"] = await archive();
    const url = `http://127.0.0.1:${String(port)}/moved.tgz`;
    redirect = `http://localhost:${String(port)}/f.tgz`;
    expect((await resolve({ [url]: {} })).features).toHaveLength(1);
    // This computer too, by a name that isn't known to be it.
    redirect = `http://127.0.0.2:${String(port)}/f.tgz`;
    await expect(resolve({ [url]: {} })).rejects.toThrow(
      /redirected to an address without encryption/,
    );
  });
});
