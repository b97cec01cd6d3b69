import {
  copyFile,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  applyByAgent,
  openHandoff,
  type Handoff,
} from "../../../src/helper/guests/handoff/handoff.ts";
import {
  decodeMessage,
  encodeAnswer,
  type HandoffIdentity,
} from "../../../src/helper/guests/handoff/message.ts";
import { generateHostKey } from "../../../src/helper/ssh/keys.ts";
import { missing as noSshd, sshdWithKey } from "../ssh/realSshd.ts";
import {
  type HandoffGuest,
  handoffGuest,
  missing,
  program,
} from "./handoffGuest.ts";

const me = userInfo();
const hostKey = generateHostKey();
const identity: HandoffIdentity = {
  hostname: "clone-2",
  machineId: "fedcba9876543210".repeat(2),
  network: {
    mac: "52:54:00:aa:bb:cc",
    address: "10.0.2.16/24",
    gateway: "10.0.2.2",
  },
  user: { name: "dev", authorizedKeys: ["ssh-ed25519 AAAA one", "two"] },
  hostKey: { private: hostKey.privateKey, public: hostKey.publicKey },
  proxy: { http: "http://proxy:3128", noProxy: "localhost" },
};
const everyPart = [
  ...["timeNs", "entropy", "hostKey", "hostname", "machineId"],
  ...["user", "proxy", "network"],
];

describe.skipIf(missing)(
  `the handoff with the guest's own service (skipped where ${missing ?? "something is missing"})`,
  () => {
    let guest: HandoffGuest;
    let handoff: Handoff;
    beforeEach(async () => {
      guest = await handoffGuest();
      handoff = await openHandoff(guest.fifo);
    });
    afterEach(async () => {
      handoff.close();
      await guest.close();
    });
    const timeoutMs = 5_000;

    test("B4, B36: what is queued before the guest runs makes it another machine, and is acknowledged", async () => {
      expect((await stat(`${guest.fifo}.in`)).mode & 0o777).toBe(0o600);
      const journal = join(guest.root, "run/log/journal");
      await mkdir(join(journal, "0".repeat(32)), { recursive: true });
      handoff.send(identity);
      guest.serve();
      expect(await handoff.awaitOutcome({ timeoutMs })).toMatchObject({
        kind: "applied",
        by: "service",
        applied: everyPart,
      });
      // journalctl finds what its parent's id named.
      expect(await readlink(join(journal, identity.machineId!))).toBe(
        "0".repeat(32),
      );
      expect(await guest.read("etc/hostname")).toBe("clone-2\n");
      expect(await guest.read("etc/hosts")).toBe(
        "127.0.0.1\tlocalhost\n127.0.1.1\tclone-2\n",
      );
      expect(await guest.read("etc/machine-id")).toBe(
        `${identity.machineId!}\n`,
      );
      expect((await readdir(join(guest.root, "etc/ssh"))).sort()).toEqual([
        "ssh_host_ed25519_key",
        "ssh_host_ed25519_key.pub",
      ]);
      expect(await guest.read("etc/ssh/ssh_host_ed25519_key")).toBe(
        hostKey.privateKey,
      );
      const key = await stat(join(guest.root, "etc/ssh/ssh_host_ed25519_key"));
      expect(key.mode & 0o777).toBe(0o600);
      expect(await guest.read("home/dev/.ssh/authorized_keys")).toBe(
        "ssh-ed25519 AAAA one\ntwo\n",
      );
      const keys = await stat(join(guest.root, "home/dev/.ssh"));
      expect([keys.mode & 0o777, keys.uid]).toEqual([0o700, me.uid]);
      expect(await guest.read("etc/environment")).toBe(
        'EDITOR=nano\n# Proxy of the host, by Guesthouse\nhttp_proxy="http://proxy:3128"\nHTTP_PROXY="http://proxy:3128"\nno_proxy="localhost"\nNO_PROXY="localhost"\n',
      );
      expect(await guest.read("etc/apt/apt.conf.d/95guesthouse-proxy")).toBe(
        'Acquire::http::Proxy "http://proxy:3128";\n',
      );
    });

    test("B4: a second identity follows the first over the same port, and takes its proxy away", async () => {
      guest.serve();
      handoff.send(identity);
      await handoff.awaitOutcome({ timeoutMs });
      handoff.send({ hostname: "clone-3", proxy: {} });
      expect(await handoff.awaitOutcome({ timeoutMs })).toMatchObject({
        kind: "applied",
        applied: ["timeNs", "entropy", "hostname", "proxy"],
      });
      expect(await guest.read("etc/hosts")).toContain("127.0.1.1\tclone-3\n");
      expect(await guest.read("etc/environment")).toBe("EDITOR=nano\n");
      expect(await readdir(join(guest.root, "etc/apt/apt.conf.d"))).toEqual([]);
    });

    test.skipIf(noSshd)(
      `an sshd that waits for its host key answers with the clone's own (skipped where ${noSshd ?? "something is missing"})`,
      async () => {
        const key = join(guest.root, "etc/ssh/ssh_host_ed25519_key");
        const waiting = join(guest.root, "run/guesthouse-host-key");
        await rm(key);
        await execa("mkfifo", ["-m", "600", waiting]);
        await symlink(waiting, key);
        const sshd = await sshdWithKey(key);
        try {
          await vi.waitFor(
            async () =>
              expect(
                await readFile(`/proc/${String(sshd.pid)}/wchan`, "utf8"),
              ).toMatch(/wait_for_partner|fifo_open/),
            { timeout: 10_000 },
          );
          handoff.send(identity);
          guest.serve();
          expect(await handoff.awaitOutcome({ timeoutMs })).toMatchObject({
            kind: "applied",
            applied: everyPart,
          });
          expect((await lstat(key)).isFile()).toBe(true);
          await vi.waitFor(
            async () =>
              expect(await sshd.offeredKey()).toBe(
                hostKey.publicKey.split(" ", 2).join(" "),
              ),
            { timeout: 10_000 },
          );
        } finally {
          await sshd.end();
        }
      },
    );

    test("B37: a part that can't be applied is told, and the others are", async () => {
      guest.serve();
      handoff.send({
        ...identity,
        user: { name: "nobody-here", authorizedKeys: [] },
      });
      expect(await handoff.awaitOutcome({ timeoutMs })).toMatchObject({
        kind: "partly",
        applied: everyPart.filter((part) => part !== "user"),
        failed: [{ what: "user", why: expect.stringContaining("nobody-here") }],
      });
    });

    test("B4: a link in place of a user's .ssh leads root nowhere", async () => {
      await mkdir(join(guest.root, "elsewhere"));
      await symlink(
        join(guest.root, "elsewhere"),
        join(guest.root, "home/dev/.ssh"),
      );
      guest.serve();
      handoff.send(identity);
      expect(await handoff.awaitOutcome({ timeoutMs })).toMatchObject({
        kind: "partly",
        failed: [{ what: "user" }],
      });
      expect(await readdir(join(guest.root, "elsewhere"))).toEqual([]);
      expect(
        (await lstat(join(guest.root, "home/dev/.ssh"))).isSymbolicLink(),
      ).toBe(true);
    });

    test("B37: a service killed before the resume: no answer, then the agent applies it", async () => {
      await guest.kill(guest.serve());
      const message = handoff.send(identity);
      expect(await handoff.awaitOutcome({ timeoutMs: 300 })).toEqual({
        kind: "noAnswer",
        why: "The guest did not answer within 300 ms.",
      });
      const outcome = await applyByAgent(await guest.serveAgent(), message, {
        timeoutMs,
      });
      expect(outcome).toMatchObject({
        kind: "applied",
        by: "agent",
        applied: everyPart,
      });
      expect(await guest.read("etc/hostname")).toBe("clone-2\n");
    });

    test("B37: a service that wakes up after the agent was asked does not apply the message again", async () => {
      const message = handoff.send(identity);
      await applyByAgent(await guest.serveAgent(), message, { timeoutMs });
      await guest.put("etc/hostname", "renamed-since\n");
      guest.serve();
      expect(await handoff.awaitOutcome({ timeoutMs })).toMatchObject({
        kind: "applied",
        by: "service",
      });
      expect(await guest.read("etc/hostname")).toBe("renamed-since\n");
    });

    test("B37: a lost acknowledgement is had again through the agent, without applying twice", async () => {
      const message = handoff.send(identity);
      // The helper is away while the guest answers, and what it finds later may be anybody's.
      handoff.close();
      guest.serve();
      await expect
        .poll(() => guest.read("etc/environment"), { timeout: timeoutMs })
        .toContain("proxy");
      await guest.put("etc/hostname", "renamed-since\n");
      handoff = await openHandoff(guest.fifo);
      const outcome = await applyByAgent(await guest.serveAgent(), message, {
        timeoutMs,
      });
      expect(outcome).toMatchObject({ kind: "applied", applied: everyPart });
      expect(await guest.read("etc/hostname")).toBe("renamed-since\n");
    });

    test("B35: a service of another version refuses, says which it understands, and changes nothing", async () => {
      const newer = join(guest.folder, "newer");
      for (const part of await readdir(join(program, "..")))
        if (part.endsWith(".py"))
          await copyFile(join(program, "..", part), join(guest.folder, part));
      const text = await readFile(program, "utf8");
      await writeFile(newer, text.replace("VERSION = 1", "VERSION = 2"));
      guest.serve(newer);
      handoff.send(identity);
      expect(await handoff.awaitOutcome({ timeoutMs })).toEqual({
        kind: "refusedVersion",
        supports: 2,
      });
      expect(await guest.read("etc/hostname")).toBe("parent\n");
    });

    test("B37: a guest that never wakes, and an agent that isn't there: no answer, and why", async () => {
      const message = handoff.send(identity);
      const startedAt = performance.now();
      expect(await handoff.awaitOutcome({ timeoutMs: 200 })).toMatchObject({
        kind: "noAnswer",
      });
      expect(
        await applyByAgent(join(guest.folder, "no-agent"), message, {
          timeoutMs: 1_000,
        }),
      ).toMatchObject({
        kind: "noAnswer",
        why: expect.stringContaining("can't be reached"),
      });
      expect(performance.now() - startedAt).toBeLessThan(2_500);
    });

    test("B38: an answer that was there before, or has another nonce, is none", async () => {
      handoff.close();
      const forged = encodeAnswer({
        guesthouse: 1,
        nonce: "forged",
        outcome: "applied",
        applied: everyPart,
        failed: [],
        tookMs: 1,
        timeNs: "0",
        sshd: true,
      });
      guest.inject("out", forged);
      guest.inject("out", "half a li");
      handoff = await openHandoff(guest.fifo);
      expect(guest.peek("out")).toBe("");
      handoff.send(identity);
      guest.inject("out", forged);
      guest.inject("out", "noise without an end");
      guest.serve();
      expect(await handoff.awaitOutcome({ timeoutMs })).toMatchObject({
        kind: "applied",
        applied: everyPart,
      });
    });

    test("B38: noise and lines without an end are refused, and the service goes on", async () => {
      guest.serve();
      guest.inject("in", "garbage\n[1]\n");
      guest.inject("in", "x".repeat(50_000));
      await expect
        .poll(() => guest.peek("in"), { timeout: timeoutMs })
        .toBe("");
      guest.inject("in", "x".repeat(50_000));
      handoff.send({ hostname: "clone-2" });
      expect(await handoff.awaitOutcome({ timeoutMs })).toMatchObject({
        kind: "applied",
      });
      expect(await guest.read("etc/hostname")).toBe("clone-2\n");
    });

    test("B38: the service sleeps while nobody writes", async () => {
      const { pid } = guest.serve();
      handoff.send({});
      expect(await handoff.awaitOutcome({ timeoutMs })).toMatchObject({
        kind: "applied",
      });
      const before = await processorTicks(pid!);
      await new Promise((wake) => setTimeout(wake, 2_000));
      expect((await processorTicks(pid!)) - before).toBe(0);
    });

    test("B4: a guest whose clock is late gets a second message with the time alone", async () => {
      handoff.send(identity);
      const heard: string[] = [];
      // In the service's place, as this host's clock is not to be set: an hour late at first.
      const timer = setInterval(() => {
        for (const line of guest.peek("in").split("\n")) {
          const message = decodeMessage(line);
          if (message === undefined) continue;
          const parts = Object.keys(message).filter(
            (name) => name !== "guesthouse" && name !== "nonce",
          );
          heard.push(parts.join());
          const late = heard.length === 1 ? 3_600_000 : 0;
          guest.inject(
            "out",
            encodeAnswer({
              guesthouse: 1,
              nonce: message.nonce,
              outcome: "applied",
              applied: parts,
              failed: [],
              tookMs: 1,
              timeNs: String(BigInt(Date.now() - late) * 1_000_000n),
              sshd: true,
            }),
          );
        }
      }, 20);
      const outcome = await handoff.awaitOutcome({ timeoutMs });
      clearInterval(timer);
      expect(heard).toHaveLength(2);
      expect(heard[1]).toBe("timeNs");
      expect(outcome.kind).toBe("applied");
      if (outcome.kind !== "applied") return;
      expect(Math.abs(outcome.clockOffsetMs)).toBeLessThan(200);
    });

    test("B36: closing gives every file descriptor back; cancelling ends the wait at once", async () => {
      const openFiles = async (): Promise<number> =>
        (await readdir("/proc/self/fd")).length;
      handoff.close();
      const before = await openFiles();
      for (let i = 0; i < 20; i++) {
        handoff = await openHandoff(guest.fifo);
        handoff.close();
        handoff.close();
      }
      await new Promise((wake) => setTimeout(wake, 50));
      expect(await openFiles()).toBeLessThanOrEqual(before);
      handoff = await openHandoff(guest.fifo);
      handoff.send({});
      await expect(
        handoff.awaitOutcome({ timeoutMs: 60_000 }, AbortSignal.timeout(50)),
      ).rejects.toMatchObject({ name: "TimeoutError" });
      await expect(
        openHandoff(join(guest.folder, "none")),
      ).rejects.toMatchObject({
        failure: { code: "machines.handoffFailed" },
      });
    });
  },
);

/** User and system time so far, in clock ticks (proc(5)). */
async function processorTicks(pid: number): Promise<number> {
  const text = await readFile(`/proc/${String(pid)}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}
