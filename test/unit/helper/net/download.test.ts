import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type DownloadProgress,
  download,
} from "../../../../src/helper/net/download.ts";
import { createHttp, getText } from "../../../../src/helper/net/http.ts";
import {
  type ImageServer,
  sha256,
  startImageServer,
} from "../../../fakes/imageServer.ts";

const image = randomBytes(1_000_000);
let server: ImageServer;
let folder: string;
let path: string;
const http = createHttp({}, { connectTimeoutMs: 500, stallTimeoutMs: 300 });

beforeEach(async () => {
  server = await startImageServer(image);
  folder = await mkdtemp(join(tmpdir(), "gh-download-"));
  path = join(folder, "disk.part");
});
afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

/** Compares bytes natively; the matcher would walk a million elements. */
const expectImage = async (): Promise<void> => {
  expect((await readFile(path)).equals(image)).toBe(true);
};

const get = async (
  options: { tries?: number; hex?: string; url?: string } = {},
  signal?: AbortSignal,
  onProgress?: (progress: DownloadProgress) => void,
): Promise<DownloadProgress[]> => {
  const seen: DownloadProgress[] = [];
  await download(
    http,
    {
      url: options.url ?? server.url,
      path,
      expected: { algorithm: "sha256", hex: options.hex ?? sha256(image) },
      retryDelayMs: 1,
      tries: options.tries ?? 3,
    },
    (progress) => {
      seen.push(progress);
      onProgress?.(progress);
    },
    signal,
  );
  return seen;
};

describe("download (B26)", () => {
  it("fetches, verifies and tells bytes, total and rate", async () => {
    const seen = await get();
    await expectImage();
    expect(await readdir(folder)).toEqual(["disk.part"]);
    expect(seen.at(-1)).toMatchObject({ stage: "verify", bytes: 1_000_000 });
    const loading = seen.filter(({ stage }) => stage === "download");
    expect(loading.at(-1)).toMatchObject({
      bytes: 1_000_000,
      totalBytes: 1_000_000,
      bytesPerSecond: expect.any(Number),
    });
    expect(server.requests).toEqual([{}]);
  });

  it("goes on where a cut connection left off", async () => {
    server.behaviours = [{ cutAfter: 300_000 }, { cutAfter: 300_000 }, {}];
    await get();
    await expectImage();
    expect(server.requests).toHaveLength(3);
    const etag = `"${sha256(image).slice(0, 8)}"`;
    expect(server.requests[1]?.ifRange).toBe(etag);
    expect(server.requests[1]?.range).toMatch(/^bytes=[1-9]\d*-$/);
  });

  it("survives more cuts than tries as long as bytes come in", async () => {
    server.behaviours = [{ cutAfter: 130_000 }];
    await get({ tries: 2 });
    await expectImage();
    expect(server.requests.length).toBeGreaterThan(4);
  });

  it("starts over where the server knows no ranges", async () => {
    server.behaviours = [{ cutAfter: 300_000 }, { noRanges: true }];
    await get();
    await expectImage();
  });

  it("starts over when the file changed meanwhile", async () => {
    const older = randomBytes(900_000);
    server.behaviours = [{ content: older, cutAfter: 300_000 }, {}];
    await get();
    await expectImage();
  });

  it("notices a changed file although the server ignores If-Range", async () => {
    const older = randomBytes(1_000_000);
    server.behaviours = [
      { content: older, cutAfter: 300_000 },
      { brokenIfRange: true },
      {},
    ];
    await get();
    await expectImage();
    expect(server.requests[2]).toEqual({});
  });

  it("loads once more in one piece when two versions met under one mark", async () => {
    const older = randomBytes(1_000_000);
    server.behaviours = [
      { content: older, cutAfter: 300_000, etag: '"same"' },
      { etag: '"same"' },
    ];
    await get();
    await expectImage();
    expect(server.requests).toHaveLength(3);
    expect(server.requests[2]).toEqual({});
  });

  it("never uses a weak mark with a range", async () => {
    server.behaviours = [{ cutAfter: 300_000, etag: 'W/"weak"' }, {}];
    await get();
    await expectImage();
    expect(server.requests[1]).toEqual({});
  });

  it("takes a body without a length", async () => {
    server.behaviours = [{ chunked: true }];
    expect((await get())[0]).not.toHaveProperty("totalBytes");
    await expectImage();
  });

  it("fails closed on wrong content and leaves nothing of it", async () => {
    server.behaviours = [{ content: randomBytes(1_000_000) }];
    await expect(get()).rejects.toMatchObject({
      failure: { kind: "failed", code: "images.digestMismatch" },
    });
    expect(await readdir(folder)).toEqual([]);
    expect(server.requests).toHaveLength(1);
  });

  it("gives up on a server that stopped sending, and keeps the bytes", async () => {
    server.behaviours = [{ stallAfter: 300_000 }, { stallAfter: 0 }];
    await expect(get({ tries: 2 })).rejects.toMatchObject({
      failure: {
        code: "images.downloadFailed",
        message: expect.stringContaining(
          "the server accepted the request and said nothing",
        ) as string,
        remedy: expect.any(String) as string,
      },
    });
    expect((await readFile(path)).length).toBeGreaterThan(200_000);
    server.behaviours = [{}];
    await get();
    await expectImage();
    expect(server.requests.at(-1)?.range).toBeDefined();
  });

  it.each([
    [503, 3],
    [429, 3],
    [404, 1],
    [403, 1],
  ])("tries a status of %i %i times", async (status, times) => {
    server.behaviours = [{ status }];
    await expect(get()).rejects.toMatchObject({
      failure: {
        code: "images.downloadFailed",
        message: expect.stringContaining(String(status)) as string,
      },
    });
    expect(server.requests).toHaveLength(times);
  });

  it("recovers from a server that is busy for a while", async () => {
    server.behaviours = [{ status: 503 }, { status: 503 }, {}];
    await get();
    await expectImage();
  });

  it("keeps the bytes when cancelled, and goes on later", async () => {
    server.behaviours = [{ delayMs: 5 }];
    const controller = new AbortController();
    await expect(
      get({}, controller.signal, ({ bytes }) => {
        if (bytes > 300_000) controller.abort();
      }),
    ).rejects.toThrow(/abort/i);
    const kept = (await readFile(path)).length;
    expect(kept).toBeGreaterThan(300_000);
    expect(kept).toBeLessThan(1_000_000);
    server.behaviours = [{}];
    await get();
    expect(server.requests.at(-1)?.range).toBe(`bytes=${String(kept)}-`);
    await expectImage();
  });

  it("does not ask again for a file that is complete", async () => {
    await get();
    await writeFile(
      `${path}.json`,
      JSON.stringify({ url: server.url, totalBytes: image.length }),
    );
    await get();
    expect(server.requests).toHaveLength(1);
  });

  it("does not trust bytes that came from another address", async () => {
    await writeFile(path, randomBytes(500));
    await writeFile(
      `${path}.json`,
      JSON.stringify({ url: "http://other.example/disk", validator: '"x"' }),
    );
    await get();
    expect(server.requests).toEqual([{}]);
    await expectImage();
  });

  it("says which host nobody listens on", async () => {
    const port = await closedPort();
    const url = `http://127.0.0.1:${String(port)}/disk.qcow2`;
    await expect(get({ url, tries: 1 })).rejects.toMatchObject({
      failure: {
        code: "images.downloadFailed",
        message: `${url} could not be downloaded: nobody accepts connections there.`,
      },
    });
  });

  it("goes through the proxy that the environment names", async () => {
    const proxied = createHttp({
      http_proxy: `http://127.0.0.1:${String(server.port)}`,
    });
    expect(
      await getText(proxied, "http://images.invalid/SHA256SUMS", 5000),
    ).toContain("disk.qcow2");
    expect(server.tunnels).toEqual(["images.invalid:80"]);
    await proxied.close();
    const direct = createHttp({
      http_proxy: "http://127.0.0.1:9",
      no_proxy: "127.0.0.1",
    });
    expect(await getText(direct, server.checksumUrl, 2000)).toContain(
      "disk.qcow2",
    );
    await direct.close();
  });
});

async function closedPort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) =>
    probe.listen(0, "127.0.0.1", () => resolve()),
  );
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
