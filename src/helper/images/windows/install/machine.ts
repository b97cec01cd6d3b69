import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { makePrivateFolder } from "../../../../base/files.ts";
import { failed } from "../../../../protocol/failure.ts";
import { findTools, requireTool } from "../../../host/tools.ts";
import { inspectQemu } from "../../../qemu/inspect.ts";
import {
  endProcess,
  findQemu,
  launchQemu,
  type LaunchedQemu,
  type ProcessIdentity,
  waitForExit,
} from "../../../qemu/process.ts";
import { connectQmp } from "../../../qemu/qmp.ts";
import { removeSwtpm, startSwtpm, swtpmProgram } from "../../../qemu/swtpm.ts";
import type { InstallFiles, Layout } from "../../../store/layout.ts";
import { secureBootFirmware } from "../../disks/firmware.ts";
import type { InstallHost } from "./host.ts";
import { type InstallRecord, installFiles } from "./record.ts";

/** Starts the machine that Windows is installed or prepared on; it outlives us. Throws what starting QEMU and swtpm throws. */
export async function startMachine(
  host: InstallHost,
  record: InstallRecord,
  signal: AbortSignal,
): Promise<LaunchedQemu> {
  const { hardware } = record;
  const files = installFiles(host.layout, record);
  const tools = await findTools("x86_64", signal);
  const binary = requireTool(tools, "qemuSystem").path;
  const [qemu, accelerator, firmware] = await Promise.all([
    inspectQemu(binary, signal),
    host.accelerator(signal),
    secureBootFirmware(),
  ]);
  for (const folder of [host.layout.run, host.layout.logs])
    await makePrivateFolder(folder);
  if (hardware.tpm) await startSwtpm(await requireSwtpm(), files.tpm, signal);
  try {
    return await launchQemu(
      {
        binary,
        args: host.qemuArguments({
          ...hardware,
          qemuVersion: qemu.version,
          name: `install-${record.name}`,
          accelerator: accelerator.kind,
          diskPath: files.disk,
          network: {
            backend: "user",
            guestAddress: "10.0.2.15",
            firstLease: "10.0.2.15",
            forwards:
              record.sshPort === undefined
                ? []
                : [{ hostPort: record.sshPort, guestPort: 22 }],
          },
          qmpSocket: files.qmpSocket,
          agentSocket: files.agentSocket,
          consoleSocket: files.consoleSocket,
          screenSocket: files.screenSocket,
          consoleLog: files.log,
          pidFile: files.pidFile,
          sandbox: qemu.sandbox,
          firmware: {
            codePath: firmware.codePath,
            variablesPath: files.variables,
          },
          ...(hardware.tpm ? { tpmSocket: files.tpm.socketPath } : {}),
          cds: {
            ...(record.origin.kind === "iso"
              ? { installer: { path: files.installer, format: "qcow2" } }
              : {}),
            answers: files.answers,
            drivers: record.drivers,
          },
          networkCard: "e1000e",
        }),
        logPath: files.qemuLog,
        cwd: files.folder,
        qmpSocket: files.qmpSocket,
      },
      signal,
    );
  } catch (error) {
    await removeSwtpm(files.tpm);
    throw error;
  }
}

/** The machine that an earlier helper started, if it still runs. */
export async function adoptMachine(
  files: InstallFiles,
  signal: AbortSignal,
): Promise<LaunchedQemu | undefined> {
  const [identity] = await findQemu(markerOf(files.qmpSocket));
  if (identity === undefined) return undefined;
  const qmp = await connectQmp(files.qmpSocket, { timeoutMs: 30_000 }, signal);
  return { ...identity, qmp };
}

/** Ends whatever still runs of an installation and removes its sockets. */
export async function endMachine(files: InstallFiles): Promise<void> {
  await endAll(await findQemu(markerOf(files.qmpSocket)));
  await removeSwtpm(files.tpm);
  const { qmpSocket, agentSocket, consoleSocket, screenSocket } = files;
  for (const path of [qmpSocket, agentSocket, consoleSocket, screenSocket])
    await rm(path, { force: true });
  await rm(files.pidFile, { force: true });
}

/** Ends machines of installations that no record speaks of: a helper was killed while it cancelled one. */
export async function endStrayMachines(
  { run }: Layout,
  known: readonly string[],
): Promise<void> {
  const strays = new Map<string, ProcessIdentity>();
  for (const stray of await findQemu(markerOf(join(run, prefix))))
    strays.set(String(stray.pid), stray);
  for (const id of known)
    for (const ours of await findQemu(markerOf(join(run, `${prefix}${id}.`))))
      strays.delete(String(ours.pid));
  await endAll([...strays.values()]);
  await makePrivateFolder(run);
  for (const name of await readdir(run))
    if (
      name.startsWith(prefix) &&
      !known.some((id) => name.startsWith(`${prefix}${id}.`))
    )
      await rm(join(run, name), { force: true });
}

const prefix = "win-";

/** As QEMU's arguments name the socket: no other program has it so. */
const markerOf = (socket: string): string => `path=${socket}`;

async function endAll(machines: readonly ProcessIdentity[]): Promise<void> {
  for (const identity of machines)
    if (await endProcess(identity, "SIGKILL"))
      await waitForExit(identity, 10_000);
}

async function requireSwtpm(): Promise<string> {
  const program = await swtpmProgram();
  if (program !== undefined) return program;
  throw failed(
    "host.toolMissing",
    "swtpm, which was there when the installation began, is gone.",
    {
      remedy: "Install it again, then begin anew.",
      actions: ["installTools", "retry"],
    },
  );
}
