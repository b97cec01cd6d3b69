import { chmod, mkdir, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { delimiter, join } from "node:path";
import {
  afterAll,
  afterEach,
  beforeAll,
  describe,
  expect,
  test,
  vi,
} from "vitest";
import { createHttp } from "../../../src/helper/net/http.ts";
import {
  type Credentials,
  credentialsOf,
  type FindCredentials,
} from "../../../src/helper/workspaces/features/credentials.ts";
import { fetchFeatures } from "../../../src/helper/workspaces/features/fetch.ts";
import { parseReference } from "../../../src/helper/workspaces/features/reference.ts";
import {
  isOfRegistry,
  registryClient,
} from "../../../src/helper/workspaces/features/ociRegistry.ts";
import {
  type FeatureRegistry,
  missingRegistry,
  registryUser,
  startFeatureRegistry,
} from "../../fakes/featureRegistry.ts";
import { scratch } from "../../fakes/scratch.ts";

/* Registries that want a name and password: where those are found, and who gets to see them. */

const http = createHttp({});
afterAll(() => http.close());

const basic = ({ username, password }: Credentials): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;

describe("where this computer keeps them", () => {
  afterEach(() => vi.unstubAllEnvs());

  const dockerHome = async (config: unknown): Promise<string> => {
    const home = await scratch();
    await mkdir(join(home, ".docker"));
    const text = typeof config === "string" ? config : JSON.stringify(config);
    await writeFile(join(home, ".docker", "config.json"), text);
    return home;
  };
  const entry = (text: string): object => ({
    auth: Buffer.from(text).toString("base64"),
  });

  test("what docker login wrote, of this registry only, with colons in the password", async () => {
    const home = await dockerHome({
      auths: {
        "https://old.example.com/v1/": entry("old:word"),
        "registry.example.com:5000": entry("me:a:b"),
        "empty.example.com": {},
        "token.example.com": { identitytoken: "t" },
      },
    });
    const find = credentialsOf({}, home);
    expect(await find("registry.example.com:5000")).toEqual({
      username: "me",
      password: "a:b",
    });
    expect(await find("old.example.com")).toMatchObject({ username: "old" });
    for (const other of [
      ...["registry.example.com", "empty.example.com", "token.example.com"],
      ...["ghcr.io", "__proto__"],
    ])
      expect(await find(other)).toBeUndefined();
  });

  test("the helper that Docker would ask, by its input; one that fails is none", async () => {
    const programs = await scratch();
    const program = join(programs, "docker-credential-mine");
    await writeFile(
      program,
      `#!/bin/sh
read -r host
[ "$1" = get ] && [ "$host" = a.example.com ] || { echo 'no credentials'; exit 1; }
echo '{"ServerURL":"","Username":"kept","Secret":"s3cret"}'
`,
    );
    await chmod(program, 0o755);
    vi.stubEnv(
      "PATH",
      `${programs}${delimiter}${process.env["PATH"] ?? "/bin"}`,
    );
    const home = await dockerHome({
      credsStore: "../evil",
      credHelpers: { "a.example.com": "mine", "b.example.com": "mine" },
      auths: { "c.example.com": entry("me:word") },
    });
    const find = credentialsOf({}, home);
    expect(await find("a.example.com")).toEqual({
      username: "kept",
      password: "s3cret",
    });
    expect(await find("b.example.com")).toBeUndefined();
    expect(await find("c.example.com")).toMatchObject({ username: "me" });
  });

  test("variables: DEVCONTAINERS_OCI_AUTH first, GITHUB_TOKEN for ghcr.io alone", async () => {
    const home = await dockerHome({ auths: { "ghcr.io": entry("file:x") } });
    const find = credentialsOf(
      {
        DEVCONTAINERS_OCI_AUTH: "a.example.com|me|p|q,broken,b.example.com|x",
        GITHUB_TOKEN: "gh",
      },
      home,
    );
    expect(await find("a.example.com")).toEqual({
      username: "me",
      password: "p|q",
    });
    expect(await find("b.example.com")).toBeUndefined();
    expect(await find("ghcr.io")).toMatchObject({ username: "file" });
    const damaged = credentialsOf(
      { GITHUB_TOKEN: "gh" },
      await dockerHome("{"),
    );
    expect(await damaged("ghcr.io")).toMatchObject({ password: "gh" });
    expect(await damaged("a.example.com")).toBeUndefined();
  });

  test("a server of tokens in the registry's domain is the registry's", () => {
    for (const [realm, registry] of [
      ["auth.docker.io", "registry-1.docker.io"],
      ["gitlab.com", "registry.gitlab.com"],
      ["reg.example.com", "reg.example.com:5000"],
    ] as const)
      expect(isOfRegistry(realm, registry)).toBe(true);
    for (const [realm, registry] of [
      ["evil.io", "ghcr.io"],
      ["evil-docker.io", "registry-1.docker.io"],
      ["9.0.0.5", "10.0.0.5"],
      ["127.0.0.1", "localhost:5000"],
    ] as const)
      expect(isOfRegistry(realm, registry)).toBe(false);
  });
});

describe.skipIf(missingRegistry !== undefined)(
  `a real registry with a password (${missingRegistry ?? "Debian's"})`,
  () => {
    let registry: FeatureRegistry;
    beforeAll(async () => {
      registry = await startFeatureRegistry({ withPassword: true });
      await registry.push("acme/tool", ["1"], { id: "tool" }, "#!/bin/sh\n");
    });
    afterAll(() => registry.close());

    const fetchTool = async (
      credentials: FindCredentials | undefined,
    ): Promise<string> => {
      const cache = join(await scratch(), "cache");
      const deps = {
        http,
        layout: { cache },
        ...(credentials === undefined ? {} : { credentials }),
      };
      const fetched = await fetchFeatures(
        deps,
        "/nowhere",
        "",
      )(parseReference(`${registry.name}/acme/tool:1`), undefined);
      return fetched.metadata.id;
    };

    test("gives a feature to whom it knows, and nobody else; the answers tell the two apart", async () => {
      expect(await fetchTool(() => Promise.resolve(registryUser))).toBe("tool");
      await expect(fetchTool(undefined)).rejects.toThrow(
        /gives it to nobody without a name and password, and docker login has kept none/,
      );
      const wrong = { ...registryUser, password: "wrong" };
      const attempt = fetchTool(() => Promise.resolve(wrong));
      await expect(attempt).rejects.toThrow(
        /refuses the name and password that this computer has/,
      );
      await expect(attempt).rejects.not.toThrow(/wrong/);
    });
  },
);

describe("who gets to see them", () => {
  const servers: Server[] = [];
  let seen: string[] = [];
  /** A server that says of each request what it was shown; answers with its port. */
  const serve = async (
    answer: (
      path: string,
      shown: string | undefined,
    ) => { status: number; headers?: Record<string, string>; body?: string },
    name: string,
  ): Promise<number> => {
    const server = createServer((request, response) => {
      const path = (request.url ?? "").replace(/\?.*$/, "");
      const shown = request.headers.authorization;
      seen.push(`${name} ${path} ${shown ?? "-"}`);
      const { status, headers, body } = answer(path, shown);
      response.writeHead(status, headers).end(body);
    });
    servers.push(server);
    await new Promise<void>((done) => server.listen(0, done));
    return (server.address() as AddressInfo).port;
  };
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
    seen = [];
  });
  const known: FindCredentials = (registry) => {
    seen.push(`asked for ${registry}`);
    return Promise.resolve(registryUser);
  };
  const named = basic(registryUser);

  test("the token's server of the registry, once an anonymous token was refused; not the store that a blob is redirected to", async () => {
    const store = await serve(() => ({ status: 200, body: "blob" }), "store");
    let port = 0;
    port = await serve((path, shown) => {
      if (path === "/token")
        return {
          status: 200,
          body: JSON.stringify({ token: shown === named ? "mine" : "none" }),
        };
      if (shown === "Bearer mine")
        return {
          status: 307,
          headers: { location: `http://127.0.0.1:${String(store)}/blob` },
        };
      return {
        status: 401,
        headers: {
          "www-authenticate": `Bearer realm="http://localhost:${String(port)}/token",scope="repository:a/b:pull"`,
        },
      };
    }, "registry");
    const registry = `localhost:${String(port)}`;
    const client = registryClient(http, known);
    const of = { registry, repository: "a/b" };
    const body = await client.blob(of, "sha256:0", 100);
    expect(Buffer.from(body).toString()).toBe("blob");
    expect(seen).toEqual([
      "registry /v2/a/b/blobs/sha256:0 -",
      "registry /token -",
      "registry /v2/a/b/blobs/sha256:0 Bearer none",
      `asked for ${registry}`,
      `registry /token ${named}`,
      "registry /v2/a/b/blobs/sha256:0 Bearer mine",
      "store /blob -",
    ]);
  });

  test("nobody when the registry sends them to another host for its tokens, itself or by a redirect", async () => {
    const thief = await serve(() => ({ status: 200, body: "{}" }), "thief");
    const attempt = async (realm: string): Promise<void> => {
      const port = await serve(
        () => ({
          status: 401,
          headers: { "www-authenticate": `Bearer realm="${realm}"` },
        }),
        "registry",
      );
      const of = { registry: `localhost:${String(port)}`, repository: "a/b" };
      await registryClient(http, known).manifest(of, "1");
    };
    await expect(
      attempt(`http://127.0.0.1:${String(thief)}/token`),
    ).rejects.toThrow(/wants your name and password sent to 127\.0\.0\.1/);
    const moving = await serve(
      () => ({
        status: 302,
        headers: { location: `http://127.0.0.1:${String(thief)}/token` },
      }),
      "moving",
    );
    await expect(
      attempt(`http://localhost:${String(moving)}/token`),
    ).rejects.toThrow(/refuses the name and password/);
    expect(seen.some((each) => each.startsWith("thief"))).toBe(true);
    expect(
      seen.filter((each) => each.startsWith("thief")).join(),
    ).not.toContain("Basic");
  });
});
