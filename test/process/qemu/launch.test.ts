import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { makeHandoffFifos } from "../../../src/helper/guests/handoff/port.ts";
import { freePorts } from "../../../src/helper/networks/ports.ts";
import { qemuArguments } from "../../../src/helper/qemu/commandLine.ts";
import {
  endProcess,
  findQemu,
  isOurQemu,
  isSameProcess,
  launchQemu,
  processIdentity,
  processUsage,
  waitForExit,
} from "../../../src/helper/qemu/process.ts";
import { connectQmp } from "../../../src/helper/qemu/qmp.ts";
import { qemuSpec, userNetwork } from "../../fakes/qemuSpec.ts";
import {
  emptyDisk,
  owned,
  qemuBinary,
  scratchFolder,
  waitingMachine,
} from "./workbench.ts";

async function launchIn(
  folder: string,
  changes: Parameters<typeof qemuSpec>[1] = {},
  more: { binary?: string; signal?: AbortSignal } = {},
) {
  const spec = qemuSpec(folder, { memoryMiB: 128, stopped: true, ...changes });
  await makeHandoffFifos(spec.handoffPath);
  return owned(
    await launchQemu(
      {
        binary: more.binary ?? (await qemuBinary()),
        args: qemuArguments(spec),
        logPath: join(folder, "qemu.log"),
        cwd: folder,
        qmpSocket: spec.qmpSocket,
      },
      more.signal,
    ),
  );
}

test("QEMU takes every device of our command line and answers on its monitor", async () => {
  const { pid, qmp, spec } = await waitingMachine();
  expect(await qmp.execute("query-status")).toMatchObject({
    running: false,
    status: "prelaunch",
  });
  expect(qmp.version.major).toBeGreaterThanOrEqual(7);
  expect(Number(await readFile(spec.pidFile, "utf8"))).toBe(pid);
  for (const path of [spec.qmpSocket, spec.agentSocket, spec.consoleSocket])
    expect((await stat(path)).mode & 0o077, path).toBe(0);
  expect((await stat(spec.consoleLog)).mode & 0o777).toBe(0o600);
});

test.skipIf(process.platform !== "linux")(
  "system calls are filtered [needs Linux]",
  async () => {
    const { pid } = await waitingMachine();
    const status = await readFile(`/proc/${String(pid)}/status`, "utf8");
    expect(status).toMatch(/^Seccomp:\t2$/m);
  },
);

test.skipIf(process.platform !== "linux")(
  "a process has not exited while one of its threads runs: it still holds its locks [needs Linux]",
  async () => {
    // The first thread ends itself alone, as a killed QEMU's may before those of its processors.
    const program = [
      "import ctypes, os, platform, threading, time",
      "threading.Thread(target=lambda: (time.sleep(2), os._exit(0))).start()",
      "ctypes.CDLL(None).syscall(60 if platform.machine() == 'x86_64' else 93, 0)",
    ].join("\n");
    const child = spawn("python3", ["-c", program], { stdio: "ignore" });
    const ended = once(child, "exit");
    const pid = child.pid ?? 0;
    const identity = await processIdentity(pid);
    if (identity === undefined) throw new Error("Python didn't start.");
    const state = async (): Promise<string | undefined> =>
      /^State:\t(.)/m.exec(
        await readFile(`/proc/${String(pid)}/status`, "utf8"),
      )?.[1];
    await expect.poll(state, { timeout: 1_500, interval: 20 }).toBe("Z");
    expect(await isSameProcess(identity)).toBe(true);
    expect(await waitForExit(identity, 10_000)).toBe(true);
    await ended;
  },
);

test("a direct boot with a seed is taken too", async () => {
  const folder = await scratchFolder();
  await writeFile(join(folder, "kernel"), Buffer.alloc(4096));
  await writeFile(join(folder, "initrd"), Buffer.alloc(512));
  await writeFile(join(folder, "seed.iso"), Buffer.alloc(1024 * 1024));
  // Not a kernel: QEMU refuses the file itself, so nothing before it was wrong.
  await emptyDisk(folder);
  await expect(
    launchIn(folder, {
      seedPath: join(folder, "seed.iso"),
      directBoot: {
        kernel: join(folder, "kernel"),
        initrd: join(folder, "initrd"),
        arguments: "console=ttyS0",
      },
    }),
  ).rejects.toMatchObject({
    failure: { code: "machines.startFailed", message: /kernel/ },
  });
});

test("a port that somebody holds is named", async () => {
  const holder = createServer().listen(0, "127.0.0.1");
  await once(holder, "listening");
  const { port } = holder.address() as { port: number };
  const folder = await scratchFolder();
  await emptyDisk(folder);
  try {
    await expect(
      launchIn(folder, {
        network: userNetwork([{ hostPort: port, guestPort: 22 }]),
      }),
    ).rejects.toMatchObject({
      failure: {
        code: "machines.portTaken",
        message: expect.stringContaining(`Port ${String(port)} `),
      },
    });
  } finally {
    holder.close();
  }
});

test("a disk in use, a missing disk and a broken disk are told apart", async () => {
  const { spec } = await waitingMachine();
  const folder = await scratchFolder();
  await expect(
    launchIn(folder, { diskPath: spec.diskPath }),
  ).rejects.toMatchObject({
    failure: { message: "Another process uses the machine's disk." },
  });
  await expect(launchIn(folder)).rejects.toMatchObject({
    failure: {
      code: "machines.startFailed",
      message: expect.stringContaining("No such file"),
    },
  });
  await writeFile(join(folder, "disk.qcow2"), "no disk at all");
  await expect(launchIn(folder)).rejects.toMatchObject({
    failure: { code: "images.broken" },
  });
});

test("a missing QEMU is named", async () => {
  const folder = await scratchFolder();
  await expect(
    launchIn(folder, {}, { binary: "/nonexistent/qemu" }),
  ).rejects.toMatchObject({
    failure: {
      code: "host.toolMissing",
      message: expect.stringContaining("/nonexistent/qemu"),
    },
  });
});

test("a QEMU that never answers is ended again", async () => {
  const folder = await scratchFolder();
  const binary = join(folder, "qemu-that-hangs");
  await writeFile(
    binary,
    `#!/bin/sh\necho $$ > ${folder}/pid\nexec sleep 600\n`,
    { mode: 0o755 },
  );
  await expect(
    launchQemu({
      binary,
      args: [],
      logPath: join(folder, "qemu.log"),
      cwd: folder,
      qmpSocket: join(folder, "qmp"),
      timeoutMs: 500,
    }),
  ).rejects.toMatchObject({
    failure: {
      code: "machines.startFailed",
      message: expect.stringContaining("did not answer in time"),
    },
  });
  const pid = Number(await readFile(join(folder, "pid"), "utf8"));
  await expect.poll(() => processIdentity(pid)).toBeUndefined();
});

test("a launch that is cancelled leaves no process behind", async () => {
  const folder = await scratchFolder();
  await emptyDisk(folder);
  const controller = new AbortController();
  const launch = launchIn(folder, {}, { signal: controller.signal });
  const caught = launch.catch((error: unknown) => error);
  // The log is there a moment before QEMU is, and long before it answers.
  while (!existsSync(join(folder, "qemu.log"))) await setImmediate();
  controller.abort();
  expect(await caught).toMatchObject({ failure: { kind: "cancelled" } });
  await expect
    .poll(() => findQemu(join(folder, "qmp")), { timeout: 5_000 })
    .toEqual([]);
});

test("QEMU outlives the process that started it (B14)", async () => {
  const folder = await scratchFolder();
  await emptyDisk(folder);
  const spec = qemuSpec(folder, { memoryMiB: 128, stopped: true });
  const starter = join(folder, "starter.cjs");
  await build({
    stdin: {
      resolveDir: import.meta.dirname,
      contents: `
        import { launchQemu } from "../../../src/helper/qemu/process.ts";
        void launchQemu(JSON.parse(process.argv[2])).then(
          ({ qmp, ...identity }) => process.send(identity));`,
    },
    bundle: true,
    platform: "node",
    format: "cjs",
    outfile: starter,
    logLevel: "error",
  });
  const helper = fork(starter, [
    JSON.stringify({
      binary: await qemuBinary(),
      args: qemuArguments(spec),
      logPath: join(folder, "qemu.log"),
      cwd: folder,
      qmpSocket: spec.qmpSocket,
    }),
  ]);
  const [identity] = (await once(helper, "message")) as [
    { pid: number; startTime: string },
  ];
  owned(identity);
  helper.kill("SIGKILL");
  await once(helper, "exit");

  expect(await isSameProcess(identity)).toBe(true);
  const qmp = await connectQmp(spec.qmpSocket, { timeoutMs: 5_000 });
  await qmp.execute("cont");
  expect(await qmp.execute("query-status")).toMatchObject({ running: true });
  qmp.close();
});

test("a process is ours only with its start time and its command line (B15)", async () => {
  const { pid, startTime, spec } = await waitingMachine();
  const identity = { pid, startTime };
  expect(await processIdentity(pid)).toEqual(identity);
  expect(await isOurQemu(identity, spec.qmpSocket)).toBe(true);
  expect(await isOurQemu(identity, `${spec.qmpSocket}x`)).toBe(false);
  const recycled = { pid, startTime: `${startTime}1` };
  expect(await isSameProcess(recycled)).toBe(false);
  expect(await endProcess(recycled, "SIGKILL")).toBe(false);
  expect(await isSameProcess(identity)).toBe(true);
});

test("without handles a machine is found by its socket, and only it (B15)", async () => {
  const { pid, startTime, spec } = await waitingMachine();
  await waitingMachine();
  expect(await findQemu(spec.qmpSocket)).toEqual([{ pid, startTime }]);
});

test("another program that names the socket is not taken for QEMU (B15)", async () => {
  const socket = join(await scratchFolder(), "qmp");
  const other = spawn("sh", ["-c", "read line", `path=${socket},`]);
  await once(other, "spawn");
  try {
    const identity = await processIdentity(other.pid!);
    expect(identity).toBeDefined();
    expect(await findQemu(socket)).toEqual([]);
    expect(await isOurQemu(identity!, socket)).toBe(false);
  } finally {
    other.kill("SIGKILL");
    await once(other, "exit");
  }
});

test("a zombie is not alive, though its number is taken (B15)", async () => {
  // The shell starts a child, becomes sleep by exec and never waits for it.
  const parent = spawn("sh", ["-c", "sleep 0.2 & echo $!; exec sleep 30"]);
  const [line] = (await once(parent.stdout, "data")) as [Buffer];
  const child = await processIdentity(Number(line));
  try {
    expect(child).toBeDefined();
    expect(await waitForExit(child!, 5_000)).toBe(true);
    expect(
      await readFile(`/proc/${String(child!.pid)}/stat`, "utf8"),
    ).toContain(") Z ");
  } finally {
    parent.kill("SIGKILL");
    await once(parent, "exit");
  }
});

test("killing QEMU ends its monitor connection at once", async () => {
  const { qmp, ...identity } = await waitingMachine();
  const killedAt = performance.now();
  expect(await endProcess(identity, "SIGKILL")).toBe(true);
  await qmp.closed;
  expect(performance.now() - killedAt).toBeLessThan(2_000);
  expect(await waitForExit(identity, 2_000)).toBe(true);
  expect(await processUsage(identity.pid)).toBeUndefined();
});

test("TERM makes QEMU say why it goes", async () => {
  const { qmp, ...identity } = await waitingMachine();
  const events: unknown[] = [];
  qmp.onEvent(({ event, data }) => events.push({ event, data }));
  await endProcess(identity, "SIGTERM");
  await qmp.closed;
  expect(events).toContainEqual({
    event: "SHUTDOWN",
    data: { guest: false, reason: "host-signal" },
  });
});

test("a second client waits until the first one has gone", async () => {
  const { qmp, spec } = await waitingMachine();
  await expect(
    connectQmp(spec.qmpSocket, { timeoutMs: 200 }),
  ).rejects.toMatchObject({
    failure: { message: expect.stringContaining("another client") },
  });
  qmp.close();
  const next = await connectQmp(spec.qmpSocket, { timeoutMs: 5_000 });
  next.close();
});

test("real refusals and unknown commands keep QEMU's words", async () => {
  const { qmp } = await waitingMachine();
  await expect(qmp.execute("no-such-command")).rejects.toMatchObject({
    cause: { errorClass: "CommandNotFound" },
  });
  await expect(
    qmp.execute("device_del", { id: "nothing" }),
  ).rejects.toMatchObject({ cause: { errorClass: "DeviceNotFound" } });
});

test("usage grows with what the processor does", async () => {
  const { pid, qmp } = await waitingMachine();
  const before = await processUsage(pid);
  await qmp.execute("cont");
  // SeaBIOS finds nothing to boot and idles; until then it works.
  await expect
    .poll(async () => (await processUsage(pid))?.cpuSeconds, {
      timeout: 20_000,
    })
    .toBeGreaterThan((before?.cpuSeconds ?? 0) + 0.05);
  expect(before?.memoryBytes).toBeGreaterThan(5 * 1024 * 1024);
});

test("ports are free, different and on loopback (B21)", async () => {
  const ports = await freePorts(20);
  expect(new Set(ports).size).toBe(20);
  for (const port of ports) {
    const server = createServer().listen(port, "127.0.0.1");
    await once(server, "listening");
    server.close();
  }
});
