import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import {
  connectAgent,
  type GuestAgent,
  withAgent,
} from "../../../src/helper/guests/agent/agent.ts";
import { missing, type RealAgent, startAgent } from "./realAgent.ts";

const timeoutMs = 10_000;

describe.skipIf(missing)(
  `QEMU's own guest agent in hard times (skipped where ${missing ?? "it is missing"})`,
  () => {
    let real: RealAgent | undefined;
    afterEach(() => real?.close());

    const started = async (...options: string[]): Promise<RealAgent> =>
      (real = await startAgent(...options));

    test.each([
      ["text that is no JSON", Buffer.from("what?\n\n}{][\n")],
      ["a string that never ends", Buffer.from('{"execute": "guest-ping')],
      ["bytes that are no text", Buffer.from([0, 1, 0xfe, 0xc3, 0x28, 0x0a])],
      ["a sync that nobody waited for", syncOf(7)],
    ])(
      "B39: after %s from an earlier client the next one is answered",
      async (_, garbage) => {
        const { socket } = await started();
        await leave(socket, garbage);
        const { kernel } = await withAgent(
          socket,
          { timeoutMs, tries: 3 },
          (agent) => agent.osInfo(),
        );
        expect(kernel).toMatch(/^\d/);
      },
    );

    test("a second client waits for the first, is told so in time, and gets its own answers later", async () => {
      const { socket } = await started();
      const first = await connectAgent(socket, { timeoutMs });
      await expect(
        connectAgent(socket, { timeoutMs: 300 }),
      ).rejects.toMatchObject({
        failure: { code: "machines.notReady", kind: "failed" },
      });
      // The first never noticed.
      expect(await said(first, "first")).toBe("first");
      first.close();
      await withAgent(socket, { timeoutMs, tries: 3 }, async (agent) =>
        expect(await said(agent, "second")).toBe("second"),
      );
    });

    test("B39: an agent that is restarted in the middle of a call is asked again, by a fresh connection", async () => {
      const agents = await started();
      let tries = 0;
      const answer = await withAgent(
        agents.socket,
        { timeoutMs, tries: 3 },
        async (agent) => {
          tries += 1;
          await agent.ping();
          if (tries === 1) await agents.restart();
          return said(agent, `try ${String(tries)}`);
        },
      );
      expect(answer).toBe("try 2");
    });

    test("more output than the agent keeps is an error that says so, and the connection is still good", async () => {
      const { socket } = await started();
      const agent = await connectAgent(socket, { timeoutMs });
      try {
        const write = (bytes: number): Promise<unknown> =>
          agent.exec(["head", "-c", String(bytes), "/dev/zero"]);
        await expect(write(16 * 1024 ** 2 + 1)).rejects.toMatchObject({
          failure: {
            kind: "refused",
            message: expect.stringContaining("16 MiB") as string,
          },
        });
        expect(await said(agent, "still here")).toBe("still here");
      } finally {
        agent.close();
      }
    });

    test("output of megabytes arrives whole", async () => {
      const { socket } = await started();
      await withAgent(socket, { timeoutMs }, async (agent) => {
        const { stdout } = await agent.exec(["seq", "1000000"]);
        expect(stdout).toHaveLength(6_888_896);
        expect(stdout.endsWith("999999\n1000000\n")).toBe(true);
      });
    });

    test("files are written and read byte for byte, over many messages", async () => {
      const { socket } = await started();
      const path = `${socket}.file`;
      const content = Buffer.concat([
        Buffer.from([0xff, 0, 0x0a, 0x0d, 0xff]),
        randomBytes(300_000),
      ]);
      await withAgent(socket, { timeoutMs }, async (agent) => {
        await agent.writeFile(path, content);
        expect((await agent.readFile(path)).equals(content)).toBe(true);
        await agent.writeFile(path, Buffer.from("short"));
        expect(String(await agent.readFile(path))).toBe("short");
        await expect(agent.readFile(`${path}.none`)).rejects.toMatchObject({
          failure: { kind: "refused" },
        });
        await agent.ping();
      });
    });

    test("what an administrator forbade or the agent was built without is left out of its commands", async () => {
      const { socket } = await started("-b", "guest-ssh-add-authorized-keys");
      const commands = await withAgent(socket, { timeoutMs }, (agent) =>
        agent.commands(),
      );
      expect(commands).toContain("guest-exec");
      expect(commands).toContain("guest-file-write");
      expect(commands).not.toContain("guest-ssh-add-authorized-keys");
    });
  },
);

function syncOf(id: number): Buffer {
  return Buffer.from(
    `${JSON.stringify({ execute: "guest-sync-delimited", arguments: { id } })}\n`,
  );
}

/**
 * A client that says something and goes once the agent has taken it. It reads what it is answered, since on a socket of
 * its own (not on a guest's port) this agent ends when a client goes with answers unread.
 */
const leave = (path: string, words: Buffer): Promise<void> =>
  new Promise((resolve, reject) => {
    const rude = connect({ path, allowHalfOpen: true });
    rude.once("error", reject).once("end", resolve).resume();
    rude.end(words);
  });

const said = async (agent: GuestAgent, word: string): Promise<string> =>
  (await agent.exec(["printf", "%s", word])).stdout;
