import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readBanner } from "../../../src/helper/ssh/banner.ts";
import { generateHostKey } from "../../../src/helper/ssh/keys.ts";
import { connectSsh } from "../../../src/helper/ssh/session.ts";
import { freePort, missing, startSshd, type RealSshd } from "./realSshd.ts";

describe.skipIf(missing)(
  `against OpenSSH's server (skipped where ${missing ?? "it is missing"})`,
  () => {
    let sshd: RealSshd;
    beforeAll(async () => {
      sshd = await startSshd();
    });
    afterAll(() => sshd.close());

    test("a command's streams, code and signal come back", async () => {
      const session = await connectSsh(sshd.target);
      try {
        expect(
          await session.exec("cat; echo oops >&2; exit 3", { stdin: "hello" }),
        ).toEqual({ code: 3, stdout: "hello", stderr: "oops\n" });
        expect(await session.exec("kill -TERM $$")).toMatchObject({
          code: -1,
          signal: "SIGTERM",
        });
        const chunks: Buffer[] = [];
        const big = await session.exec("head -c 3000000 /dev/zero", {
          onStdout: (chunk) => chunks.push(chunk),
        });
        expect(big).toMatchObject({ code: 0, stdout: "" });
        expect(Buffer.concat(chunks)).toHaveLength(3_000_000);
      } finally {
        session.close();
      }
      await session.closed;
    });

    test("a command's end is heard, too, when it comes together with its beginning", async () => {
      const session = await connectSsh(sshd.target);
      const codes: number[] = [];
      for (let i = 0; i < 8; i++) {
        const ended = session.exec("exit 3");
        // Busy with something else, while all of the server's words arrive.
        await new Promise((wake) => setTimeout(wake, 1));
        const until = performance.now() + 30;
        while (performance.now() < until);
        codes.push((await ended).code);
      }
      session.close();
      expect(new Set(codes)).toEqual(new Set([3]));
    });

    test("a file goes there and back with its mode", async () => {
      const session = await connectSsh(sshd.target);
      const at = (name: string): string => join(sshd.folder, name);
      try {
        await writeFile(at("a"), Buffer.alloc(500_000, 3));
        await chmod(at("a"), 0o750);
        await session.upload(at("a"), at("b"));
        await session.download(at("b"), at("c"));
        expect((await readFile(at("c"))).equals(await readFile(at("a")))).toBe(
          true,
        );
        expect((await stat(at("c"))).mode & 0o777).toBe(0o750);
        await expect(
          session.upload(at("a"), "/nowhere/at/all"),
        ).rejects.toMatchObject({ failure: { code: "ssh.transferFailed" } });
        await expect(
          session.download("/nowhere/at/all", at("d")),
        ).rejects.toMatchObject({ failure: { code: "ssh.transferFailed" } });
      } finally {
        session.close();
      }
    });

    test("B23: another host key is refused as a possible man in the middle", async () => {
      const failure = await connectSsh({
        ...sshd.target,
        hostKey: generateHostKey().publicKey,
      }).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(failure).toMatchObject({
        failure: { code: "ssh.hostKeyMismatch", kind: "failed" },
      });
      expect(String(failure)).toMatch(/in the middle/);
      expect(String(failure)).toMatch(/SHA256:/);
    });

    test("a key that the server doesn't know is refused, and says whose login it was", async () => {
      await expect(
        connectSsh({
          ...sshd.target,
          privateKey: generateHostKey().privateKey,
        }),
      ).rejects.toMatchObject({
        failure: {
          code: "ssh.connectFailed",
          message: expect.stringContaining(sshd.user),
        },
      });
    });

    test("cancelling ends a command and a connection at once", async () => {
      const session = await connectSsh(sshd.target);
      try {
        const startedAt = performance.now();
        await expect(
          session.exec("sleep 60", {}, AbortSignal.timeout(100)),
        ).rejects.toMatchObject({ name: "TimeoutError" });
        expect(performance.now() - startedAt).toBeLessThan(2_000);
        // The connection is still good for others.
        expect((await session.exec("exit 0")).code).toBe(0);
      } finally {
        session.close();
      }
      await expect(
        connectSsh(sshd.target, {}, AbortSignal.abort()),
      ).rejects.toMatchObject({ name: "AbortError" });
    });

    test("a connection that breaks under a command is a failure, not a result", async () => {
      const session = await connectSsh(sshd.target);
      const running = session.exec("kill -KILL $PPID; sleep 60");
      await expect(running).rejects.toMatchObject({
        failure: { code: "ssh.connectFailed" },
      });
      await session.closed;
    });

    test("the banner is read, and nobody's banner is none", async () => {
      expect(await readBanner("127.0.0.1", sshd.port, 5_000)).toMatch(
        /^SSH-2\.0-OpenSSH/,
      );
      expect(
        await readBanner("127.0.0.1", await freePort(), 1_000),
      ).toBeUndefined();
    });
  },
);

describe("against a server that accepts and says nothing", () => {
  const server = createServer(() => undefined);
  let port: number;
  beforeAll(async () => {
    await new Promise<void>((resolve) =>
      server.listen(0, "127.0.0.1", () => resolve()),
    );
    port = (server.address() as AddressInfo).port;
  });
  afterAll(() => void server.close());

  test("the banner's time is up when it says", async () => {
    const startedAt = performance.now();
    expect(await readBanner("127.0.0.1", port, 300)).toBeUndefined();
    const { privateKey, publicKey } = generateHostKey();
    await expect(
      connectSsh(
        { host: "127.0.0.1", port, user: "x", privateKey, hostKey: publicKey },
        { bannerTimeoutMs: 300 },
      ),
    ).rejects.toMatchObject({
      failure: {
        code: "ssh.connectFailed",
        message: expect.stringContaining("No SSH server answered"),
      },
    });
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  });

  test("waiting for a banner ends at once when it is cancelled", async () => {
    const startedAt = performance.now();
    await expect(
      readBanner("127.0.0.1", port, 60_000, AbortSignal.timeout(50)),
    ).rejects.toMatchObject({ name: "TimeoutError" });
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });
});

test("a server that waits for us first, as passt of 2023 makes it look, gets our line at once", async () => {
  const server = createServer((socket) => {
    socket.once("data", (chunk) => {
      expect(chunk.toString()).toMatch(/^SSH-2\.0-guesthouse\r\n/);
      socket.end("SSH-2.0-patient\r\n");
    });
  });
  await new Promise<void>((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve()),
  );
  try {
    const { port } = server.address() as AddressInfo;
    expect(await readBanner("127.0.0.1", port, 2_000)).toBe("SSH-2.0-patient");
  } finally {
    server.close();
  }
});
