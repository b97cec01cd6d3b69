import { once } from "node:events";
import { readFile, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Machine } from "../../src/protocol/machines.ts";
import { describeCrashes } from "./crashes.ts";
import { eventually, type Household, household, isGone } from "./household.ts";
import { hostAddress } from "./hostAddress.ts";
import { runInGuest } from "./inGuest.ts";
import { describeLoopback } from "./loopback.ts";
import { describeOpenSsh } from "./openSsh.ts";
import { describeSelfTest } from "./selfTest.ts";

let house: Household;
let one: Machine;
let two: Machine;

const inGuest = (machine: Machine, command: string): Promise<string> =>
  runInGuest(house, machine, command);

beforeAll(async () => {
  house = await household();
  await house.json(["image", "pull", "debian-12"]);
});

afterAll(async () => {
  await house[Symbol.asyncDispose]();
});

describe("two clones of one image, created at once", () => {
  test("both come to an authenticated command; an overlay has less than a megabyte at creation", async () => {
    // Under emulation each processor costs time; one has several later.
    const make = (name: string): Promise<Machine> =>
      house.json<Machine>([
        ...["create", name, "--image", "debian-12", "--no-start"],
        ...["--cpus", "1", "--memory", "768M"],
      ]);
    [one, two] = await Promise.all([make("one"), make("two")]);
    for (const { id } of [one, two])
      expect(
        (await stat(join(house.home, "machines", id, "disk.qcow2"))).blocks *
          512,
      ).toBeLessThan(1024 * 1024);
    await Promise.all([
      house.json(["start", "one"]),
      house.json(["start", "two"]),
    ]);
    [one, two] = await Promise.all([
      house.machine("one"),
      house.machine("two"),
    ]);
    expect([one.state.kind, two.state.kind]).toEqual(["running", "running"]);
    expect(one.boot.map(({ stage }) => stage)).toEqual([
      "firmware",
      "kernel",
      "init",
      "cloud-init",
      "sshd",
      "ready",
    ]);
  });

  test("a duplicate name is refused, and a port that is taken is told by its number", async () => {
    const duplicate = await house.guesthouse(["create", "one"]);
    expect(duplicate.exitCode).toBe(3);
    expect(duplicate.stderr).toMatch(
      /already a machine “one”[^]*for example “one-2”/,
    );
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    try {
      const taken = await house.guesthouse([
        ...["create", "three", "--memory", "256M"],
        ...["--forward", `${String(port)}:80`],
      ]);
      expect(taken.exitCode).toBe(1);
      expect(taken.stderr).toContain(`in use: ${String(port)}`);
      expect((await house.machine("three")).state).toMatchObject({
        kind: "stopped",
        reason: "startFailed",
      });
    } finally {
      server.close();
      await house.json(["delete", "three"]);
    }
  });

  test("instance-id, machine-id, host key, MAC and hostname differ (B1, B4)", async () => {
    const items = async (machine: Machine): Promise<string[]> =>
      (
        await inGuest(
          machine,
          "sudo awk 1 /var/lib/cloud/data/instance-id /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub /sys/class/net/e*/address; hostname",
        )
      )
        .trim()
        .split("\n");
    const [left, right] = await Promise.all([items(one), items(two)]);
    expect(left).toHaveLength(5);
    for (const [i, item] of left.entries()) expect(item).not.toBe(right[i]);
    expect([left[4], right[4]]).toEqual(["one", "two"]);
  });

  test("both reach outward (B1, B2)", async () => {
    const address = hostAddress();
    const server = createServer((socket) =>
      socket.end("hello from the host\n"),
    ).listen(0, address);
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    try {
      for (const machine of [one, two])
        expect(
          await inGuest(
            machine,
            `timeout 20 bash -c 'cat < /dev/tcp/${address}/${String(port)}'`,
          ),
        ).toBe("hello from the host");
    } finally {
      server.close();
    }
  });
});

describeOpenSsh(() => ({ house, one, two }));
describeSelfTest(() => ({ house, one, two }));
describeLoopback(() => ({ house, one, two }));
describeCrashes(() => ({ house, one, two }));

describe("create → stop → start → ssh, and resize while stopped (B16, B17)", () => {
  test("fresh writes survive a stop; 1 → 2 processors, more memory and a larger disk are there after the start (B16, B17)", async () => {
    await inGuest(one, "echo precious > note.txt");
    expect((await house.json<{ how: string }>(["stop", "one"])).how).toBe(
      "shutdown",
    );
    await house.json([
      "set",
      "one",
      "--cpus",
      "2",
      "--memory",
      "1G",
      "--disk",
      "24G",
    ]);
    // The proxy starts a stopped machine: plain ssh is enough.
    expect(await inGuest(one, "cat note.txt; nproc")).toBe("precious\n2");
    expect(
      Number(await inGuest(one, "awk '/MemTotal/{print $2}' /proc/meminfo")),
    ).toBeGreaterThan(850_000);
    const gib = await eventually("the grown file system", 90_000, async () => {
      const size = Number(
        await inGuest(one, "df -BG --output=size / | tail -1 | tr -dc 0-9"),
      );
      return size >= 23 ? size : undefined;
    });
    expect(gib).toBeLessThanOrEqual(24);
  });

  test("pause and resume", async () => {
    expect((await house.json<Machine>(["pause", "one"])).state.kind).toBe(
      "paused",
    );
    expect(
      (await house.guesthouse(["set", "one", "--cpus", "3"])).exitCode,
    ).toBe(3);
    expect((await house.json<Machine>(["resume", "one"])).state.kind).toBe(
      "running",
    );
    expect((await house.ssh(one.alias, ["true"])).exitCode).toBe(0);
  });

  test("stats count processor, memory, disk and network", async () => {
    const stats = await house.json<{
      cpuSeconds: number;
      memoryUsedMiB: number;
      diskUsedBytes: number;
      network?: { sentBytes: number };
    }>(["stats", "one"]);
    expect(stats.cpuSeconds).toBeGreaterThan(1);
    expect(stats.memoryUsedMiB).toBeGreaterThan(50);
    expect(stats.diskUsedBytes).toBeGreaterThan(1024 * 1024);
    expect(stats.network?.sentBytes).toBeGreaterThan(1_000);
  });
});

describe("a guest whose network is broken (B8, B9, B13)", () => {
  test("times out with the diagnosis, and its machine and log are still there", async () => {
    await inGuest(
      one,
      "sudo systemctl mask systemd-networkd.service systemd-networkd.socket 2>/dev/null; sudo touch /etc/cloud/cloud-init.disabled; sync",
    );
    await house.json(["stop", "one"]);
    const { exitCode, stderr } = await house.guesthouse([
      "start",
      "one",
      "--timeout",
      "75",
    ]);
    expect(exitCode).toBe(4);
    expect(stderr).toMatch(/runs but was not reached within \d+ s/);
    expect(stderr).toMatch(/network|address|DHCP|sent/i);
    const machine = await house.machine("one");
    expect(machine.state.kind).toBe("unready");
    if (machine.state.kind === "unready")
      expect(machine.state.diagnosis.cause).toMatch(/noTraffic|noLease/);
    expect((await house.guesthouse(["log", "one"])).stdout).toContain(
      "Linux version",
    );
  });

  test("its log outlives it, and its lines leave known_hosts and the ssh config (B13, B23)", async () => {
    const mistyped = await house.guesthouse(["delete", "one", "nobody"]);
    expect(mistyped.exitCode).toBe(3);
    await house.json(["show", "one"]);
    await house.json(["delete", "one"]);
    expect((await house.guesthouse(["log", one.id])).stdout).toContain(
      "Linux version",
    );
    expect(
      await readFile(join(house.home, "ssh", "known_hosts"), "utf8"),
    ).not.toContain(one.alias);
    expect(await readFile(house.sshConfig, "utf8")).not.toContain(one.alias);
    expect(await isGone(one.runtime!.pid)).toBe(true);
  });
});
