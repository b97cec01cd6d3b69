import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import {
  connect,
  createServer,
  type AddressInfo,
  type Server,
  type Socket,
} from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { diagnose } from "../../../src/helper/guests/diagnosis/diagnosis.ts";
import {
  watchBoot,
  type BootWatch,
} from "../../../src/helper/guests/boot/readiness.ts";
import { generateHostKey } from "../../../src/helper/ssh/keys.ts";
import {
  freePort,
  missing,
  startSshd,
  type RealSshd,
} from "../ssh/realSshd.ts";
import { startAgent, missing as agentMissing } from "./realAgent.ts";

let folder: string;
let log: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "boot-"));
  log = join(folder, "log");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const keys = { user: generateHostKey(), host: generateHostKey() };

const watchOf = (more: Partial<BootWatch>): BootWatch => ({
  logPath: log,
  logOffset: 0,
  agentSocket: join(folder, "no-agent"),
  host: "127.0.0.1",
  port: 1,
  user: "dev",
  privateKey: keys.user.privateKey,
  hostKey: keys.host.publicKey,
  timeoutMs: 2_000,
  ...more,
});

const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));

async function listen(server: Server, port = 0): Promise<number> {
  await new Promise<void>((resolve) =>
    server.listen(port, "127.0.0.1", () => resolve()),
  );
  return (server.address() as AddressInfo).port;
}

describe("a boot that goes nowhere", () => {
  test("B7, B8: is a timeout with the stage it reached, not an error", async () => {
    await writeFile(log, "old boot\n[    0.0] not ours\n── starting ──\n");
    const offset = Buffer.byteLength("old boot\n[    0.0] not ours\n");
    const seen: string[] = [];
    const watching = watchBoot(
      watchOf({ logOffset: offset, port: await freePort(), timeoutMs: 1_500 }),
      (stage) => seen.push(stage),
    );
    await sleep(200);
    expect(seen).toEqual(["firmware"]);
    await appendFile(log, "[    0.000000] Linux version 6.1\r\n");
    await appendFile(
      log,
      "Welcome to \u001b[1mDebian GNU/Linux\u001b[0m!\r\n[    3.000000] late\n",
    );
    const outcome = await watching;
    expect(outcome).toMatchObject({ kind: "timeout", stage: "init" });
    expect(seen).toEqual(["firmware", "kernel", "init"]);
    expect(outcome.probes).toMatchObject([
      { id: "ssh", required: true, passed: false },
      { id: "agent", required: false, passed: false },
    ]);
  });

  test("user-mode networking's acceptance before the guest listens is no readiness", async () => {
    const server = createServer(() => undefined);
    const port = await listen(server);
    try {
      const outcome = await watchBoot(
        watchOf({ port, timeoutMs: 1_000 }),
        () => undefined,
      );
      expect(outcome).toMatchObject({ kind: "timeout", stage: "firmware" });
    } finally {
      server.close();
    }
  });

  test("only one probe is open at a time", async () => {
    let open = 0;
    let most = 0;
    const server = createServer((socket) => {
      most = Math.max(most, ++open);
      socket.on("error", () => undefined);
      socket.on("end", () => open--);
      socket.resume();
    });
    const port = await listen(server);
    try {
      await watchBoot(watchOf({ port, timeoutMs: 1_500 }), () => undefined);
      // The end of one may be told after the begin of the next.
      expect(most).toBeLessThanOrEqual(2);
    } finally {
      server.close();
    }
  });

  test("B9: watching ends at once when it is cancelled", async () => {
    const startedAt = performance.now();
    await expect(
      watchBoot(
        watchOf({ port: await freePort(), timeoutMs: 60_000 }),
        () => undefined,
        AbortSignal.timeout(100),
      ),
    ).rejects.toMatchObject({ name: "TimeoutError" });
    expect(performance.now() - startedAt).toBeLessThan(600);
  });
});

describe.skipIf(missing)(
  `with OpenSSH's server (skipped where ${missing ?? "it is missing"})`,
  () => {
    let sshd: RealSshd;
    beforeEach(async () => {
      sshd = await startSshd();
    });
    afterEach(() => sshd.close());
    const reachable = (more: Partial<BootWatch> = {}): BootWatch =>
      watchOf({ ...sshd.target, timeoutMs: 20_000, ...more });

    test("a guest that is up is ready, stages in order and once each", async () => {
      const seen: string[] = [];
      const outcome = await watchBoot(reachable(), (stage) => seen.push(stage));
      expect(outcome.kind).toBe("ready");
      expect(seen).toEqual(["firmware", "sshd", "ready"]);
      expect(outcome.stages.map(({ stage }) => stage)).toEqual(seen);
    });

    test("an sshd that comes up is seen within a quarter of a second, its banner's way included", async () => {
      // A guest's network that refuses until the service is there.
      const port = await freePort();
      const seen: { stage: string; at: number }[] = [];
      const watching = watchBoot(reachable({ port }), (stage) =>
        seen.push({ stage, at: performance.now() }),
      );
      await sleep(1_500);
      const forward = createServer((socket) => {
        pipeTo(socket, sshd.port);
      });
      await listen(forward, port);
      const sshdAt = performance.now();
      try {
        expect((await watching).kind).toBe("ready");
        const banner = seen.find(({ stage }) => stage === "sshd");
        // The bare exchange with this host's sshd takes some tens of milliseconds of it.
        expect((banner?.at ?? Infinity) - sshdAt).toBeLessThan(250);
      } finally {
        forward.close();
      }
    });

    test("one connection serves as banner probe and login", async () => {
      let connections = 0;
      const forward = createServer((socket) => {
        connections += 1;
        pipeTo(socket, sshd.port);
      });
      const port = await listen(forward);
      try {
        await watchBoot(reachable({ port }), () => undefined);
        expect(connections).toBe(1);
      } finally {
        forward.close();
      }
    });

    test("B12: a login that is refused keeps it unready, and says so", async () => {
      const outcome = await watchBoot(
        reachable({ privateKey: keys.user.privateKey, timeoutMs: 2_500 }),
        () => undefined,
      );
      expect(outcome).toMatchObject({ kind: "timeout", stage: "sshd" });
      expect(outcome.probes[0]).toMatchObject({
        id: "ssh",
        passed: false,
        detail: expect.stringContaining("refused our key"),
      });
    });

    test("B23: a foreign host key is never logged in to", async () => {
      const outcome = await watchBoot(
        reachable({ hostKey: keys.host.publicKey, timeoutMs: 1_500 }),
        () => undefined,
      );
      expect(outcome.kind).toBe("timeout");
      expect(outcome.probes[0]?.detail).toContain("another host key");
    });

    test.skipIf(agentMissing)(
      `B23: a guest that gets its host key by its agent is logged in to with that key alone (skipped where ${agentMissing ?? "qemu-ga is missing"})`,
      async () => {
        const agent = await startAgent();
        let asked = 0;
        try {
          const outcome = await watchBoot(
            reachable({
              agentSocket: agent.socket,
              hostKey: keys.host.publicKey,
              onAgent: async () => {
                asked += 1;
                await sshd.swapHostKey(keys.host.privateKey);
              },
            }),
            () => undefined,
          );
          expect(outcome.kind).toBe("ready");
          expect(asked).toBe(1);
        } finally {
          await agent.close();
        }
      },
    );

    test.skipIf(agentMissing)(
      `the agent is a witness, too (skipped where ${agentMissing ?? "qemu-ga is missing"})`,
      async () => {
        const agent = await startAgent();
        try {
          const outcome = await watchBoot(
            watchOf({
              agentSocket: agent.socket,
              port: await freePort(),
              timeoutMs: 2_000,
            }),
            () => undefined,
          );
          expect(outcome).toMatchObject({ kind: "timeout", stage: "init" });
          expect(outcome.probes).toContainEqual(
            expect.objectContaining({ id: "agent", passed: true }),
          );
        } finally {
          await agent.close();
        }
      },
    );

    test.skipIf(agentMissing)(
      "B8: Windows whose agent answers and whose sshd doesn't is asked for its marker",
      async () => {
        const agent = await startAgent("-b", "guest-get-osinfo");
        try {
          const found = await diagnose({
            ...reachable({
              agentSocket: agent.socket,
              port: await freePort(),
            }),
            os: "windows",
            stage: "init",
            waitedMs: 60_000,
            runState: "running",
          });
          expect(found.cause).toBe("noSshd");
          expect(found.hint).toContain("ready.json is missing");
        } finally {
          await agent.close();
        }
      },
    );

    test("B8: a diagnosis asks everybody and takes its time to ten seconds", async () => {
      await writeFile(log, "[    0.0] Linux\nmain login: \n");
      const subject = {
        ...reachable(),
        stage: "sshd",
        waitedMs: 1_000,
        runState: "running",
        counters: { driver: true, sentFrames: 4, receivedFrames: 5 },
      } as const;
      const healthy = await diagnose(subject);
      expect(healthy).toMatchObject({
        cause: "healthy",
        network: { sentFrames: 4, receivedFrames: 5 },
        consoleTail: ["[    0.0] Linux", "main login:"],
      });
      const refusing = await diagnose({
        ...subject,
        privateKey: keys.user.privateKey,
      });
      expect(refusing.cause).toBe("loginRefused");
      const startedAt = performance.now();
      const silent = await diagnose({
        ...subject,
        stage: "cloud-init",
        port: await freePort(),
        counters: { driver: true, sentFrames: 0, receivedFrames: 0 },
      });
      expect(silent.cause).toBe("noTraffic");
      expect(performance.now() - startedAt).toBeLessThan(12_000);
    });

    test("B15: a QEMU that is gone is said to be gone, and nobody is asked", async () => {
      const gone = await diagnose({
        ...reachable(),
        stage: "kernel",
        waitedMs: 1_000,
        runState: "not answering",
      });
      expect(gone.cause).toBe("exited");
      expect(gone).not.toHaveProperty("network");
    });
  },
);

function pipeTo(socket: Socket, port: number): void {
  const other = connect(port, "127.0.0.1");
  socket.pipe(other).pipe(socket);
  socket.on("error", () => other.destroy());
  other.on("error", () => socket.destroy());
  socket.on("close", () => other.destroy());
  other.on("close", () => socket.destroy());
}
