import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fetch, ProxyAgent } from "undici";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startAnswerer } from "../../../scripts/lib/imageRegistry/answerer.mjs";
import { authority } from "../../../scripts/lib/imageRegistry/authority.mjs";
import { Protocol } from "../../../scripts/lib/imageRegistry/protocol.mjs";
import { Store } from "../../../scripts/lib/imageRegistry/store.mjs";

const noOpenssl = spawnSync("openssl", ["version"]).status !== 0;

describe.skipIf(noOpenssl)("the proxy that answers public names", () => {
  const cache = mkdtempSync(join(tmpdir(), "answerer-"));
  const store = new Store("/nowhere", {});
  let answerer: Awaited<ReturnType<typeof startAnswerer>>;
  let through: ProxyAgent;
  let closed: Awaited<ReturnType<typeof startAnswerer>>;

  beforeAll(async () => {
    process.env["GUESTHOUSE_CACHE"] = cache;
    const identity = await authority();
    const start = (onward: boolean): ReturnType<typeof startAnswerer> =>
      startAnswerer(new Protocol(store), identity, {
        address: "127.0.0.1",
        port: 0,
        onward,
      });
    answerer = await start(true);
    closed = await start(false);
    through = new ProxyAgent({
      uri: `http://127.0.0.1:${String(answerer.port)}`,
      requestTls: { ca: readFileSync(identity.ca, "utf8") },
    });
  });
  afterAll(async () => {
    delete process.env["GUESTHOUSE_CACHE"];
    await through.close();
    await answerer.close();
    await closed.close();
    rmSync(cache, { recursive: true });
  });

  test("answers by TLS under each name, parts of blobs too, and keeps a record", async () => {
    await store.addFeature({
      repository: "ghcr.io/acme/mine",
      tags: ["1"],
      metadata: { id: "mine", version: "1.0.0" },
      install: "#!/bin/sh\n",
    });
    const headers = { authorization: "Bearer x" };
    const url = "https://ghcr.io/v2/acme/mine";
    const manifest = await fetch(`${url}/manifests/1`, {
      dispatcher: through,
      headers,
    });
    const { layers } = (await manifest.json()) as {
      layers: { digest: string; size: number }[];
    };
    const blob = `${url}/blobs/${layers[0]!.digest}`;
    const whole = await fetch(blob, { dispatcher: through, headers });
    const bytes = Buffer.from(await whole.arrayBuffer());
    expect(bytes.length).toBe(layers[0]!.size);
    const rest = await fetch(blob, {
      dispatcher: through,
      headers: { ...headers, range: "bytes=100-" },
    });
    expect(rest.status).toBe(206);
    expect(Buffer.from(await rest.arrayBuffer())).toEqual(bytes.subarray(100));
    expect(
      answerer.requests.map(({ host, status, authorization }) => [
        host,
        status,
        authorization,
      ]),
    ).toEqual([
      ["ghcr.io", 200, "Bearer x"],
      ["ghcr.io", 200, "Bearer x"],
      ["ghcr.io", 200, "Bearer x"],
    ]);
  });

  test("hands requests for others on, or refuses them", async () => {
    const other = createServer((_, response) => {
      response.end("the other");
    });
    await new Promise<void>((done) => other.listen(0, "127.0.0.1", done));
    const { port } = other.address() as AddressInfo;
    const ask = async (proxy: number): Promise<[number, string]> => {
      // A plain request, as package managers send them to a proxy.
      const agent = new ProxyAgent({
        uri: `http://127.0.0.1:${String(proxy)}`,
        proxyTunnel: false,
      });
      const answer = await fetch(`http://127.0.0.1:${String(port)}/x`, {
        dispatcher: agent,
      });
      const text = await answer.text();
      await agent.close();
      return [answer.status, text.trim()];
    };
    expect(await ask(answerer.port)).toEqual([200, "the other"]);
    expect(await ask(closed.port)).toEqual([502, "nothing is handed on here"]);
    other.close();
  });
});
