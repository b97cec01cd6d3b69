import { hostname } from "node:os";
import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import {
  connectAgent,
  withAgent,
} from "../../../src/helper/guests/agent/agent.ts";
import { requestShutdown } from "../../../src/helper/guests/boot/shutdown.ts";
import {
  fakeAgent,
  synced,
  type FakeAgent,
  type Script,
} from "../../fakes/agent.ts";
import { missing, startAgent } from "./realAgent.ts";

const timeoutMs = 3_000;

describe.skipIf(missing)(
  `QEMU's own guest agent (skipped where ${missing ?? "it is missing"})`,
  () => {
    test("answers ping, system, interfaces and programs", async () => {
      const real = await startAgent();
      const agent = await connectAgent(real.socket, { timeoutMs });
      try {
        await agent.ping();
        expect((await agent.osInfo()).kernel).toMatch(/^\d+\.\d+/);
        const lo = (await agent.networkInterfaces()).find(
          ({ name }) => name === "lo",
        );
        expect(lo?.addresses).toContain("127.0.0.1/8");
        expect(lo?.receivedBytes).toBeTypeOf("number");
        expect(
          await agent.exec(["sh", "-c", "cat; hostname; echo no >&2; exit 7"], {
            input: "in\n",
          }),
        ).toEqual({ code: 7, stdout: `in\n${hostname()}\n`, stderr: "no\n" });
        await agent.sync();
        await expect(agent.exec(["/no/such/program"])).rejects.toMatchObject({
          failure: { code: "machines.notReady", kind: "refused" },
        });
        // A refusal is an answer: the connection is still good.
        await agent.ping();
      } finally {
        agent.close();
        await real.close();
      }
    });

    test("B39: half a message of an earlier client does not spoil the next one's", async () => {
      const real = await startAgent();
      try {
        await new Promise<void>((resolve) => {
          const rude = connect(real.socket, () => {
            rude.write('{"execute": "guest-pi', () => {
              rude.destroy();
              resolve();
            });
          });
        });
        await withAgent(real.socket, { timeoutMs, tries: 3 }, (agent) =>
          agent.ping(),
        );
      } finally {
        await real.close();
      }
    });

    test("a program that takes too long is given up", async () => {
      const real = await startAgent();
      const agent = await connectAgent(real.socket, { timeoutMs });
      try {
        await expect(
          agent.exec(["sleep", "20"], { timeoutMs: 200 }),
        ).rejects.toMatchObject({ failure: { code: "machines.notReady" } });
      } finally {
        agent.close();
        await real.close();
      }
    });

    test("what an administrator forbade is a refusal that says so", async () => {
      const real = await startAgent("-b", "guest-exec");
      try {
        await expect(
          withAgent(real.socket, { timeoutMs }, (agent) =>
            agent.exec(["true"]),
          ),
        ).rejects.toMatchObject({
          failure: {
            kind: "refused",
            message: expect.stringContaining("guest-exec"),
          },
        });
      } finally {
        await real.close();
      }
    });
  },
);

describe("a scripted agent", () => {
  let fake: FakeAgent;
  afterEach(() => fake.close());
  const script =
    (more: Script): Script =>
    (request) =>
      request.command === "guest-sync-delimited"
        ? synced(request.args)
        : more(request);

  test("B39: answers meant for somebody before us are skipped", async () => {
    fake = await fakeAgent(({ command, args }) =>
      command === "guest-sync-delimited"
        ? Buffer.concat([
            Buffer.from('{"return": {}}\n{"ret'),
            Buffer.of(0xff),
            Buffer.from('{"return": 1}\n'),
            synced(args),
          ])
        : '{"return": {}}\n',
    );
    await withAgent(fake.socket, { timeoutMs, tries: 1 }, (agent) =>
      agent.ping(),
    );
  });

  test("B39: an agent that is silent is given up in time, and its connection dropped", async () => {
    fake = await fakeAgent(() => undefined);
    const startedAt = performance.now();
    await expect(
      connectAgent(fake.socket, { timeoutMs: 200 }),
    ).rejects.toMatchObject({
      failure: { code: "machines.notReady", kind: "failed" },
    });
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  test("B39: a broken connection is never used again: the next try has a fresh one", async () => {
    fake = await fakeAgent(
      script(({ connection, socket }) => {
        if (connection > 1) return '{"return": {}}\n';
        socket.destroy();
        return undefined;
      }),
    );
    await withAgent(fake.socket, { timeoutMs, tries: 2 }, (agent) =>
      agent.ping(),
    );
    expect(fake.heard).toEqual([
      "guest-sync-delimited",
      "guest-ping",
      "guest-sync-delimited",
      "guest-ping",
    ]);
  });

  test("B39: after a timeout the connection is broken for later calls too", async () => {
    fake = await fakeAgent(
      script(({ command }) =>
        command === "guest-ping" ? undefined : '{"return": []}\n',
      ),
    );
    const agent = await connectAgent(fake.socket, { timeoutMs: 200 });
    await expect(agent.ping()).rejects.toThrow(/did not answer/);
    await expect(agent.networkInterfaces()).rejects.toThrow(/can't be reached/);
    agent.close();
  });

  test("a cancelled call ends at once with the caller's reason", async () => {
    fake = await fakeAgent(script(() => undefined));
    const agent = await connectAgent(fake.socket, { timeoutMs: 60_000 });
    const startedAt = performance.now();
    await expect(agent.ping(AbortSignal.timeout(50))).rejects.toMatchObject({
      name: "TimeoutError",
    });
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    agent.close();
  });

  test("B17: a shutdown is asked after a sync; no answer is the agent's yes", async () => {
    fake = await fakeAgent(
      script(({ command }) => {
        if (command === "guest-exec") return '{"return": {"pid": 5}}\n';
        if (command === "guest-exec-status")
          return '{"return": {"exited": true, "exitcode": 0}}\n';
        return undefined;
      }),
    );
    let pressed = 0;
    const asked = await requestShutdown(fake.socket, () => {
      pressed += 1;
      return Promise.resolve();
    });
    expect(asked).toEqual({ by: "agent", synced: true });
    expect(pressed).toBe(0);
    expect(fake.heard.filter((each) => !each.includes("sync-d"))).toEqual([
      "guest-exec",
      "guest-exec-status",
      "guest-shutdown",
    ]);
  });

  test("B17: an agent that refuses makes us press the power button", async () => {
    fake = await fakeAgent(
      script(
        () => '{"error": {"class": "CommandNotFound", "desc": "disabled"}}\n',
      ),
    );
    let pressed = 0;
    const asked = await requestShutdown(fake.socket, () => {
      pressed += 1;
      return Promise.resolve();
    });
    expect(asked).toEqual({ by: "acpi", synced: false });
    expect(pressed).toBe(1);
  });

  test("B17: without an agent the power button is pressed", async () => {
    fake = await fakeAgent(() => undefined);
    expect(
      await requestShutdown(`${fake.socket}.none`, () => Promise.resolve()),
    ).toEqual({ by: "acpi", synced: false });
  });
});
