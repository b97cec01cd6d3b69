import { once } from "node:events";
import { readFile, stat } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Machine } from "../../src/protocol/machines.ts";
import type { Template } from "../../src/protocol/templates.ts";
import { hostAddress } from "./hostAddress.ts";
import { type Household, household } from "./household.ts";
import { runInGuest } from "./inGuest.ts";
import { describePool } from "./pool.ts";
import { shape, warmUp } from "./warmGuests.ts";

let house: Household;
let template: Template;
let clones: Machine[];

const names = ["north", "east", "south", "west"];

const inGuest = (machine: Machine, command: string): Promise<string> =>
  runInGuest(house, machine, command);

beforeAll(async () => {
  house = await household();
  template = await warmUp(house);
});

afterAll(async () => {
  await house[Symbol.asyncDispose]();
});

test("a template is made once for an image and a shape", async () => {
  expect(template.state.kind).toBe("ready");
  const again = await warmUp(house);
  expect(again.id).toBe(template.id);
  expect(again.createdAt).toBe(template.createdAt);
});

describe("four clones resumed at once", () => {
  test("all come up warm, each with less than a megabyte of disk", async () => {
    clones = await Promise.all(
      names.map((name) => house.json<Machine>(["create", name, ...shape])),
    );
    for (const { state, runtime, boot, id } of clones) {
      expect(state.kind).toBe("running");
      expect(runtime?.way).toBe("warm");
      expect(boot.map(({ stage }) => stage)).toEqual([
        "clone",
        "resume",
        "handoff",
        "ready",
      ]);
      const disk = await stat(join(house.home, "machines", id, "disk.qcow2"));
      expect(disk.blocks * 512).toBeLessThan(1024 * 1024);
    }
  });

  test("B4: no two share name, MAC, address, machine id, host key or random numbers; the key is the pinned one", async () => {
    const facts = await Promise.all(
      clones.map(async (machine) => {
        const lines = await inGuest(
          machine,
          "hostname; cat /sys/class/net/e*/address; hostname -I; cat /etc/machine-id; sudo awk 1 /etc/ssh/ssh_host_ed25519_key.pub; od -An -N16 -tx1 /dev/urandom; getent hosts $(hostname)",
        );
        return lines.split("\n").map((line) => line.trim());
      }),
    );
    for (const [i, [hostname]] of facts.entries())
      expect(hostname).toBe(names[i]);
    for (let item = 0; item < 6; item++)
      expect(new Set(facts.map((each) => each[item])).size).toBe(clones.length);
  });

  test("B4: their clocks are the host's, within half a second", async () => {
    for (const machine of clones) {
      const before = Date.now();
      const guest = Number(await inGuest(machine, "date +%s%3N"));
      const after = Date.now();
      expect(guest).toBeGreaterThan(before - 500);
      expect(guest).toBeLessThan(after + 500);
    }
  });

  test("what stepped back for the first login has been called forward again", async () => {
    const [first] = clones;
    await expect
      .poll(
        () =>
          inGuest(
            first!,
            "sudo journalctl -b -u guesthouse-handoff | grep -oE 'woke .*|called .* forward'; sudo grep -l 'nice 19' /proc/[0-9]*/autogroup; grep -lE '^State:.T' /proc/[0-9]*/status; true",
          ),
        { timeout: 60_000, interval: 1_000 },
      )
      .toMatch(
        /^woke [1-9]\d* processes\ncalled [1-9]\d* groups of processes forward\s*$/,
      );
  });

  test("all reach outward, also after the guest has asked for its lease again (B5)", async () => {
    const server = createServer((socket) =>
      socket.end("hello from the host\n"),
    ).listen(0, hostAddress());
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    try {
      for (const machine of clones)
        expect(
          await inGuest(
            machine,
            `bash -c 'cat < /dev/tcp/${hostAddress()}/${String(port)}'`,
          ),
        ).toContain("hello from the host");
      const [first] = clones;
      await inGuest(
        first!,
        "sudo networkctl renew $(ls /sys/class/net | grep ^e)",
      );
      expect(await inGuest(first!, "hostname -I")).toMatch(/^10\.0\.2\.\d+/);
    } finally {
      server.close();
    }
  });

  test("B16: a warm clone stops, boots cold from its own disk and is still itself", async () => {
    const [first] = clones;
    await inGuest(first!, "echo kept > kept && sync");
    await house.json(["stop", "north"]);
    const started = await house.json<Machine>(["start", "north"]);
    expect(started.runtime?.way).toBe("cold");
    expect(await inGuest(started, "cat kept; hostname")).toBe("kept\nnorth");
  });

  test("B6: a clone of another shape boots, and its log says why", async () => {
    const machine = await house.json<Machine>([
      ...["create", "other", "--cpus", "1", "--memory", "640M", "--no-start"],
    ]);
    expect(await readFile(machine.logPath, "utf8")).toContain(
      "no warm template of this image and shape: booting",
    );
    await house.json(["delete", "other"]);
  });
});

describePool(() => ({ house, template, others: clones }));

describe("the same template on another network", () => {
  test("a clone that is allowed the host's loopback reaches it; one that forwards a port is reached there", async () => {
    const server = createServer((socket) => socket.end("hello")).listen(
      0,
      "127.0.0.1",
    );
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    try {
      const [allowed, forwarding] = await Promise.all([
        house.json<Machine>(["create", "allowed", ...shape, "--host-loopback"]),
        house.json<Machine>(["create", "serving", ...shape, "-p", ":22"]),
      ]);
      for (const { runtime } of [allowed, forwarding])
        expect(runtime?.way).toBe("warm");
      expect(allowed.runtime?.network).toMatchObject({
        backend: "user",
        hostLoopbackReachable: true,
      });
      expect(
        await inGuest(
          allowed,
          `bash -c 'cat < /dev/tcp/10.0.2.2/${String(port)}'`,
        ),
      ).toBe("hello");
      // sshd waits for its client a while, but says its name first: with a client that is silent, too.
      const socket = connect(
        forwarding.runtime!.forwards[0]!.hostPort,
        "127.0.0.1",
      );
      const [banner] = (await once(socket, "data")) as [Buffer];
      socket.destroy();
      expect(banner.toString()).toMatch(/^SSH-2\.0-/);
    } finally {
      server.close();
      await house.json(["delete", "allowed", "serving"]);
    }
  });
});
