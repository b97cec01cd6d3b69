import { mkdir, writeFile } from "node:fs/promises";
import { createReadStream } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { execa } from "execa";
import {
  qemuArguments,
  type VmSpec,
} from "../../../src/helper/qemu/commandLine.ts";
import {
  type LaunchedQemu,
  launchQemu,
} from "../../../src/helper/qemu/process.ts";
import type { Qmp } from "../../../src/helper/qemu/qmp.ts";
import {
  type Layout,
  layoutOf,
  type MachineFiles,
} from "../../../src/helper/store/layout.ts";
import { qemuSpec } from "../../fakes/qemuSpec.ts";
import { owned, qemuBinary, scratchFolder } from "../qemu/workbench.ts";

export const machineId = "0123456789ab";
export const diskBytes = 64 * 1024 ** 2;

/** A data folder with one machine's files in it: a disk above an image, as a clone's. */
export async function home(
  folder?: string,
): Promise<{ layout: Layout; files: MachineFiles }> {
  const layout = layoutOf(folder ?? (await scratchFolder()));
  const files = layout.machine(machineId);
  for (const path of [layout.run, layout.logs, layout.images, files.folder])
    await mkdir(path, { recursive: true, mode: 0o700 });
  const base = join(layout.images, "base.qcow2");
  await execa("qemu-img", ["create", "-q", "-f", "qcow2", base, "64M"]);
  await execa("qemu-io", ["-c", "write -P 0xb5 0 1M", base]);
  await execa("qemu-img", [
    ...["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base],
    files.disk,
  ]);
  return { layout, files };
}

/**
 * A guest without an operating system (multiboot, 32 bit): counts at 0x8000 for ever; the busy one also changes every
 * page from 16 to 144 MiB each time. The writing one fills a 32 MiB disk at the first legacy IDE port, sector 0, 8,
 * 16 and so on, each with its number and one as 16 bit words.
 */
const header =
  "02b0ad1b00000100fe4f51e40000100000001000000000000000000020001000";
const programs = {
  counting: "fa ff0500800000 ebf8",
  writing:
    "fa 31f6 ff0500800000 66baf701 ec a880 75fb 4a 89f0 c1e818 0ce0 ee b2f2 b001 ee 42 89f0 ee 42 c1e808 ee 42 c1e808 ee b2f7 b030 ee ec 2488 3c08 75f9 b2f0 b900010000 89f0 40 66ef e2fc b2f7 ec a880 75fb 83c608 81fe00000100 72a9 31f6 eba5",
  busy: "fa ff0500800000 bf00000001 fe07 81c700100000 81ff00000009 72f0 ebe3",
};

/** The kernel's file of such a guest. */
export const multiboot = (guest: keyof typeof programs): Buffer =>
  Buffer.from(`${header}${programs[guest]}`.replaceAll(" ", ""), "hex");

export interface Options {
  readonly guest?: keyof typeof programs | "waiting";
  readonly spec?: Partial<VmSpec>;
  readonly extra?: readonly string[];
}

/** Starts a real QEMU, with the arguments that machines get, for the files of a machine. */
export async function start(
  files: MachineFiles,
  { guest = "counting", spec = {}, extra = [] }: Options = {},
): Promise<LaunchedQemu> {
  const kernel = join(files.folder, "guest");
  if (guest !== "waiting") await writeFile(kernel, multiboot(guest));
  for (const end of ["in", "out"])
    await execa("mkfifo", ["-m", "600", `${files.handoff}.${end}`], {
      reject: false,
    });
  const launched = await launchQemu({
    binary: await qemuBinary(),
    args: [
      ...qemuArguments(
        qemuSpec(files.folder, {
          cpus: 1,
          memoryMiB: 160,
          diskPath: files.disk,
          qmpSocket: files.qmpSocket,
          agentSocket: files.agentSocket,
          consoleSocket: files.consoleSocket,
          handoffPath: files.handoff,
          consoleLog: files.log,
          pidFile: files.pidFile,
          ...(guest === "waiting"
            ? { stopped: true }
            : { directBoot: { kernel, arguments: "" } }),
          ...spec,
        }),
      ),
      ...extra,
    ],
    logPath: files.qemuLog,
    cwd: files.folder,
    qmpSocket: files.qmpSocket,
  });
  return owned(launched);
}

const hangUps: ReadonlySet<unknown> = new Set([
  "ERR_STREAM_PREMATURE_CLOSE",
  "EPIPE",
  "ECONNRESET",
]);

/** Starts a QEMU that takes a kept state in; the guest stands still afterwards. */
export async function startFrom(
  files: MachineFiles,
  statePath: string,
  options: Options = {},
): Promise<LaunchedQemu> {
  const launched = await start(files, {
    ...options,
    spec: { ...options.spec, incoming: true, stopped: true },
  });
  const socket = `${files.qmpSocket}.in`;
  await launched.qmp.execute("migrate-incoming", { uri: `unix:${socket}` });
  // QEMU hangs up once it has read the end of the state, which can be before we have closed our side. Whether it has
  // all of it is told by its status.
  await pipeline(createReadStream(statePath), createConnection(socket)).catch(
    (error: unknown) => {
      if (!hangUps.has((error as NodeJS.ErrnoException).code)) throw error;
    },
  );
  for (;;) {
    const { status } = (await launched.qmp.execute("query-migrate")) as {
      status?: string;
    };
    if (status === "completed") return launched;
    if (status === "failed") throw new Error("the state was not taken in");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const monitor = (qmp: Qmp, line: string): Promise<unknown> =>
  qmp.execute("human-monitor-command", { "command-line": line });

/** How far the guest has counted. */
export async function counter(qmp: Qmp): Promise<number> {
  const text = String(await monitor(qmp, "xp /1wx 0x8000"));
  return Number(text.split(": ")[1]);
}

/** Writes through the guest's own disk device. */
export async function writeDisk(
  qmp: Qmp,
  pattern: number,
  offsetMiB: number,
): Promise<void> {
  // Flushed, as QEMU keeps metadata in its own memory until the guest asks for more.
  for (const command of [
    `write -P ${String(pattern)} ${String(offsetMiB)}M 1M`,
    "flush",
  ]) {
    const answer = await monitor(
      qmp,
      `qemu-io -d /machine/peripheral/disk0/virtio-backend "${command}"`,
    );
    if (String(answer).trim() !== "") throw new Error(String(answer));
  }
}

/** Compares what a disk at rest, or one that somebody reads only, holds. */
export async function holds(
  path: string,
  pattern: number,
  offsetMiB: number,
): Promise<boolean> {
  const { stdout, stderr, exitCode } = await execa(
    "qemu-io",
    [
      ...["-r", "-U", "-c"],
      `read -P ${String(pattern)} ${String(offsetMiB)}M 1M`,
      path,
    ],
    { reject: false },
  );
  if (exitCode !== 0 && !/verification failed/.test(stdout + stderr))
    throw new Error(`${stdout}${stderr}`);
  return !/verification failed/.test(stdout + stderr);
}

export async function status(qmp: Qmp): Promise<string> {
  return ((await qmp.execute("query-status")) as { status: string }).status;
}

/**
 * True as soon as the guest has counted on, false when it has not for half a minute, or `withinMs`: on busy processors a
 * guest that changes all of its memory between two counts takes seconds for one.
 */
export async function counts(qmp: Qmp, withinMs = 30_000): Promise<boolean> {
  const before = await counter(qmp);
  const deadlineMs = Date.now() + withinMs;
  while ((await counter(qmp)) === before) {
    if (Date.now() > deadlineMs) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return true;
}

/** Waits until a busy guest is past its firmware and has changed all of its memory. */
export async function atWork(qmp: Qmp): Promise<void> {
  const last = async (): Promise<string | undefined> =>
    String(await monitor(qmp, "xp /1bx 0x8fff000"))
      .split(": ")[1]
      ?.trim();
  const deadlineMs = Date.now() + 60_000;
  while ((await last()) === "0x00") {
    if (Date.now() > deadlineMs) throw new Error("the guest does not work");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
