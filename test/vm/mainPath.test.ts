import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  mkdtemp,
  readFile,
  rm,
  stat,
  unlink,
  writeFile,
} from "node:fs/promises";
import { createServer } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { HelperStatus } from "../../src/protocol/helper.ts";
import type { Machine } from "../../src/protocol/machines.ts";
import { eventually, type Household, household, isGone } from "./household.ts";

let house: Household;
let one: Machine;
let two: Machine;

/** A command in the guest that must succeed. */
async function inGuest(machine: Machine, command: string): Promise<string> {
  const { exitCode, stdout, stderr } = await house.ssh(machine.alias, [
    command,
  ]);
  expect(stderr).toBe("");
  expect(exitCode).toBe(0);
  return stdout;
}

beforeAll(async () => {
  house = await household();
  await house.json(["image", "pull", "debian-12"]);
});

afterAll(async () => {
  await house[Symbol.asyncDispose]();
});

describe("two clones of one image, created at once", () => {
  test("both come to an authenticated command; an overlay has less than a megabyte at creation", async () => {
    const make = (name: string): Promise<Machine> =>
      house.json<Machine>([
        "create",
        name,
        "--image",
        "debian-12",
        "--memory",
        "768M",
        "--no-start",
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
          "cat /var/lib/cloud/data/instance-id /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub /sys/class/net/e*/address; hostname",
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
    const address = Object.values(networkInterfaces())
      .flatMap((all) => all ?? [])
      .find(({ family, internal }) => family === "IPv4" && !internal)?.address;
    if (address === undefined)
      throw new Error("this host has no address but loopback");
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

describe("plain OpenSSH with the written config (B23, B25)", () => {
  test("a command without a prompt, its exit code and streams", async () => {
    expect((await house.ssh(one.alias, ["true"])).exitCode).toBe(0);
    const { exitCode, stdout, stderr } = await house.ssh(one.alias, [
      "echo out; echo err >&2; exit 7",
    ]);
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 7,
      stdout: "out",
      stderr: "err",
    });
  });

  test("guesthouse ssh has the command's streams and exit code, too", async () => {
    const { exitCode, stdout } = await house.guesthouse([
      "ssh",
      "one",
      "--",
      "echo out; exit 5",
    ]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 5, stdout: "out" });
  });

  test("a PTY", async () => {
    expect(
      (await house.ssh(one.alias, ["tty"], ["-tt"])).stdout.trim(),
    ).toMatch(/^\/dev\/pts\//);
  });

  test("scp and guesthouse cp, there and back", async () => {
    const folder = await mkdtemp(join(tmpdir(), "gh-copy-"));
    try {
      const content = randomBytes(300_000);
      await writeFile(join(folder, "a.bin"), content);
      await execa("scp", [
        "-q",
        "-F",
        house.sshConfig,
        join(folder, "a.bin"),
        `${one.alias}:a.bin`,
      ]);
      await house.json(["cp", "one:a.bin", join(folder, "b.bin")]);
      expect((await readFile(join(folder, "b.bin"))).equals(content)).toBe(
        true,
      );
      await house.json(["cp", join(folder, "b.bin"), "one:c.bin"]);
      await execa("scp", [
        "-q",
        "-F",
        house.sshConfig,
        `${one.alias}:c.bin`,
        join(folder, "d.bin"),
      ]);
      expect((await readFile(join(folder, "d.bin"))).equals(content)).toBe(
        true,
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("a forwarded port", async () => {
    const socket = join(house.home, "forward.sock");
    const forward = execa(
      "ssh",
      [
        "-F",
        house.sshConfig,
        "-N",
        "-o",
        "ExitOnForwardFailure=yes",
        "-L",
        `${socket}:127.0.0.1:22`,
        one.alias,
      ],
      { reject: false },
    );
    try {
      const banner = await eventually(
        "the forwarded banner",
        20_000,
        async () => {
          const { stdout } = await execa(
            "timeout",
            [
              "5",
              "bash",
              "-c",
              `exec 3<>/dev/null; python3 -c "import socket;s=socket.socket(socket.AF_UNIX);s.connect('${socket}');print(s.recv(8).decode())"`,
            ],
            { reject: false },
          );
          return stdout === "" ? undefined : stdout;
        },
      );
      expect(banner).toMatch(/^SSH-2\.0-/);
    } finally {
      forward.kill();
      await forward;
    }
  });

  test("a swapped host key is refused", async () => {
    const path = join(house.home, "ssh", "known_hosts");
    const before = await readFile(path, "utf8");
    const keys = new Map(
      before
        .trim()
        .split("\n")
        .map((line) => [
          line.split(" ")[0]!,
          line.split(" ").slice(1).join(" "),
        ]),
    );
    await writeFile(
      path,
      `${one.alias} ${keys.get(two.alias)!}\n${two.alias} ${keys.get(one.alias)!}\n`,
      { mode: 0o600 },
    );
    try {
      const { exitCode, stderr } = await house.ssh(one.alias, ["true"]);
      expect(exitCode).toBe(255);
      expect(stderr).toMatch(/host key verification failed/i);
    } finally {
      await writeFile(path, before, { mode: 0o600 });
    }
    expect((await house.ssh(one.alias, ["true"])).exitCode).toBe(0);
  });
});

describe("crashes", () => {
  test("kill -9 of the helper: the next command adopts the guest and a counter over ssh never stopped (B14, B20)", async () => {
    const counter = execa(
      "ssh",
      [
        "-F",
        house.sshConfig,
        one.alias,
        "i=0; while :; do i=$((i+1)); echo $i; sleep 0.2; done",
      ],
      { reject: false, buffer: false },
    );
    const seen: number[] = [];
    counter.stdout.on("data", (chunk: Buffer) =>
      seen.push(...chunk.toString().trim().split("\n").map(Number)),
    );
    try {
      await eventually("the counter's start", 30_000, () =>
        Promise.resolve(seen.length > 3 ? true : undefined),
      );
      const { pid } = await house.json<HelperStatus>(["daemon", "status"]);
      process.kill(pid, "SIGKILL");
      await eventually("the helper's end", 5_000, async () =>
        (await isGone(pid)) ? true : undefined,
      );
      const before = seen.length;
      const adopted = await house.machine("one");
      expect(adopted.state.kind).toBe("running");
      expect(adopted.runtime?.pid).toBe(one.runtime?.pid);
      await eventually("the counter's going on", 10_000, () =>
        Promise.resolve(seen.length > before + 3 ? true : undefined),
      );
      expect(seen).toEqual(seen.map((_, i) => i + 1));
    } finally {
      counter.kill();
      await counter;
    }
  });

  test.each(["deleted", "corrupt"])(
    "handles file %s while the helper is away: nothing leaks, the guest is adopted (B15)",
    async (how) => {
      const handles = join(house.home, "machines", one.id, "handles.json");
      const before = await house.machine("one");
      await house.guesthouse(["daemon", "stop"]);
      if (how === "deleted") await unlink(handles);
      else await writeFile(handles, "{ not json");
      const after = await house.machine("one");
      expect(after.runtime?.pid).toBe(before.runtime?.pid);
      expect(after.runtime?.sshPort).toBe(before.runtime?.sshPort);
      expect((await house.ssh(one.alias, ["true"])).exitCode).toBe(0);
    },
  );

  test("kill -9 of QEMU: the state says so within two seconds, everything is cleaned, start works (B15)", async () => {
    const pid = (await house.machine("two")).runtime!.pid;
    process.kill(pid, "SIGKILL");
    const stopped = await eventually("the stopped state", 2_000, async () => {
      const machine = await house.machine("two");
      return machine.state.kind === "stopped" ? machine : undefined;
    });
    expect(stopped.state).toMatchObject({ kind: "stopped", reason: "crashed" });
    const left = await execa("ls", [
      join(house.home, "run"),
      join(house.home, "machines", two.id),
    ]);
    expect(left.stdout).not.toMatch(
      new RegExp(`${two.id}\\.|handles|qemu\\.pid`),
    );
    expect((await house.json<Machine>(["start", "two"])).state.kind).toBe(
      "running",
    );
  });

  test("after a reboot of the host, a stale pid that belongs to somebody else is not touched (B15)", async () => {
    await house.json(["stop", "two"]);
    await house.guesthouse(["daemon", "stop"]);
    const foreign = execa("sleep", ["600"], { reject: false });
    try {
      const folder = join(house.home, "machines", two.id);
      await writeFile(join(folder, "qemu.pid"), `${String(foreign.pid)}\n`);
      const handles = {
        pid: foreign.pid,
        startTime: "1",
        startedAtMs: 1,
        accelerator: "tcg",
        acceleratorReason: "",
        sshPort: 1,
        forwards: [],
        network: { backend: "user", hostLoopbackReachable: true },
        logOffset: 0,
        boot: [],
      };
      await writeFile(join(folder, "handles.json"), JSON.stringify(handles));
      expect((await house.machine("two")).state).toEqual({
        kind: "stopped",
        reason: "hostRestarted",
      });
      await house.json(["delete", "two"]);
      expect(await isGone(foreign.pid!)).toBe(false);
    } finally {
      foreign.kill();
      await foreign;
    }
  });
});

describe("create → stop → start → ssh, and resize while stopped (B16, B17)", () => {
  test("fresh writes survive a stop; 2 → 4 processors, more memory and a larger disk are there after the start", async () => {
    await inGuest(one, "echo precious > note.txt");
    expect((await house.json<{ how: string }>(["stop", "one"])).how).toBe(
      "shutdown",
    );
    await house.json([
      "set",
      "one",
      "--cpus",
      "4",
      "--memory",
      "1G",
      "--disk",
      "24G",
    ]);
    // The proxy starts a stopped machine: plain ssh is enough.
    expect(await inGuest(one, "cat note.txt; nproc")).toBe("precious\n4");
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
      (await house.guesthouse(["set", "one", "--cpus", "2"])).exitCode,
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
