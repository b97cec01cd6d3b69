import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import {
  layerNames,
  publicName,
  standInFor,
} from "../../../scripts/lib/imageRegistry/catalogue.mjs";
import { features } from "../../../scripts/lib/imageRegistry/features.mjs";
import {
  type Answer,
  Protocol,
} from "../../../scripts/lib/imageRegistry/protocol.mjs";
import { Store } from "../../../scripts/lib/imageRegistry/store.mjs";

const root = resolve(import.meta.dirname, "../../..");

describe("stand-in images", () => {
  test("are found by public names, whatever reasonable tag is asked", () => {
    const layers = (name: string, tag: string): string[] | undefined =>
      standInFor(name, tag)?.layers;
    expect(layers("docker.io/library/node", "20-alpine")).toContain("alpine");
    expect(layers("docker.io/library/node", "22.3-bookworm")).toContain("node");
    expect(layers("docker.io/library/postgres", "16-alpine")).toContain(
      "postgres",
    );
    expect(
      layers("mcr.microsoft.com/devcontainers/base", "alpine-3.20"),
    ).toContain("alpine-vscode");
    // One that isn't listed is an image for development all the same.
    expect(layers("mcr.microsoft.com/devcontainers/rust", "1")).toContain(
      "user-vscode",
    );
    expect(layers("docker.io/library/node", "no-such")).toBeUndefined();
    expect(layers("ghcr.io/acme/no-such", "1")).toBeUndefined();
  });

  test("of Docker Hub are asked under its hosts' names", () => {
    expect(publicName("registry-1.docker.io", "library/debian")).toBe(
      "docker.io/library/debian",
    );
    expect(publicName("ghcr.io", "acme/devbox")).toBe("ghcr.io/acme/devbox");
  });

  test("have only layers that the script makes", () => {
    const script = readFileSync(
      resolve(root, "scripts/lib/imageRegistry/layers.sh"),
      "utf8",
    );
    const written = new Set(
      [...script.matchAll(/^\s*(?:on|pack) "?([a-z-]+)/gm)].map(
        ([, name]) => name,
      ),
    );
    // Written in loops: the part before the variable.
    for (const name of layerNames)
      expect(
        written.has(name) || written.has(name.replace(/[a-z]+$/, "")),
        name,
      ).toBe(true);
  });
});

describe("what the public names answer", () => {
  const store = new Store("/nowhere", {});
  const protocol = new Protocol(store);
  const ask = (
    url: string,
    authorization?: string,
    method = "GET",
  ): Promise<Answer> => {
    const parsed = new URL(url);
    return protocol.answer({
      host: parsed.host,
      method,
      url: parsed,
      authorization,
    });
  };
  const tokenOf = ({ body }: Answer): string =>
    `Bearer ${(JSON.parse(String(body)) as { token: string }).token}`;
  const manifest = "https://ghcr.io/v2/acme/mine/manifests/1";

  test("a challenge, a token for everyone, and then the manifest", async () => {
    await store.addFeature({
      ...features[0]!,
      repository: "ghcr.io/acme/mine",
      tags: ["1"],
    });
    const challenged = await ask(manifest);
    expect(challenged.status).toBe(401);
    expect(challenged.headers?.["www-authenticate"]).toBe(
      'Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:acme/mine:pull"',
    );
    const token = tokenOf(await ask("https://ghcr.io/token?scope=x"));
    const { status, body } = await ask(manifest, token);
    expect(status).toBe(200);
    const { layers } = JSON.parse(String(body)) as {
      layers: { digest: string }[];
    };
    const blob = `https://ghcr.io/v2/acme/mine/blobs/${layers[0]!.digest}`;
    expect((await ask(blob, token)).status).toBe(200);
    expect((await ask(manifest.replace(/1$/, "2"), token)).status).toBe(404);
  });

  test("a private repository opens to its credentials only", async () => {
    protocol.demands.set("ghcr.io/acme/mine", {
      username: "me",
      password: "pass:word",
    });
    const basic = (text: string): string =>
      `Basic ${Buffer.from(text).toString("base64")}`;
    const anybody = tokenOf(await ask("https://ghcr.io/token"));
    expect((await ask(manifest, anybody)).status).toBe(401);
    expect((await ask("https://ghcr.io/token", basic("me:wrong"))).status).toBe(
      401,
    );
    const mine = tokenOf(
      await ask("https://ghcr.io/token", basic("me:pass:word")),
    );
    expect((await ask(manifest, mine)).status).toBe(200);
  });

  test("Microsoft's registry wants no token, and nothing is pushed", async () => {
    const base = "https://mcr.microsoft.com/v2/devcontainers/base";
    expect((await ask("https://mcr.microsoft.com/v2/")).status).toBe(200);
    expect((await ask(`${base}/tags/list`)).status).toBe(200);
    expect((await ask(`${base}/manifests/1`, undefined, "PUT")).status).toBe(
      405,
    );
  });

  test("the control manifest of containers.dev", async () => {
    const { body } = await ask(
      "https://containers.dev/static/devcontainer-control-manifest.json",
    );
    expect(JSON.parse(String(body))).toEqual({
      disallowedFeatures: [],
      featureAdvisories: [],
    });
  });
});
