import { copyFile, open, writeFile } from "node:fs/promises";
import {
  withAgent,
  type GuestAgent,
} from "../../../../src/helper/guests/agent/agent.ts";
import { restoreState } from "../../../../src/helper/qemu/restoreState.ts";
import {
  endProcess,
  firstInherited,
  launchQemu,
  type LaunchedQemu,
  type ProcessIdentity,
  waitForExit,
} from "../../../../src/helper/qemu/process.ts";
import { startSwtpm, swtpmProgram } from "../../../../src/helper/qemu/swtpm.ts";
import {
  type WindowsVmSpec,
  windowsQemuArguments,
} from "../../../../src/helper/qemu/windowsCommandLine.ts";
import type { MachineFiles } from "../../../../src/helper/store/layout.ts";
import { windowsSpec } from "../../../fakes/windowsSpec.ts";
import { qemuBinary } from "../workbench.ts";

/** Variables with Microsoft's keys enrolled. */
export const enrolledVariables = "/usr/share/OVMF/OVMF_VARS_4M.ms.fd";

/** A machine with the profile of Windows, QEMU and TPM. */
export interface ProfileMachine {
  readonly files: MachineFiles;
  readonly spec: WindowsVmSpec;
  readonly qemu: LaunchedQemu;
  readonly tpm: ProcessIdentity;
  /** Runs a line by the guest's shell, over the agent's port; it must succeed. */
  run(line: string): Promise<string>;
  agent<T>(work: (agent: GuestAgent) => Promise<T>): Promise<T>;
  end(): Promise<void>;
}

export interface ProfileOptions {
  readonly cds: WindowsVmSpec["cds"];
  readonly memoryFile?: WindowsVmSpec["memoryFile"];
  /** A whole state, or that of the devices alone where the memory is in a file. */
  readonly statePath?: string;
}

/** Starts the machine whose disk is in place: by its firmware, or from a saved state, where it stands paused. */
export async function startProfile(
  files: MachineFiles,
  { cds, memoryFile, statePath }: ProfileOptions,
): Promise<ProfileMachine> {
  const variablesPath = `${files.folder}/variables.fd`;
  await copyFile(enrolledVariables, variablesPath);
  const spec = windowsSpec(files.folder, {
    cpus: 1,
    memoryMiB: 512,
    diskPath: files.disk,
    firmware: {
      ...windowsSpec(files.folder).firmware,
      variablesPath,
    },
    cds,
    tpmSocket: files.tpm.socketPath,
    qmpSocket: files.qmpSocket,
    agentSocket: files.agentSocket,
    consoleSocket: files.consoleSocket,
    screenSocket: files.screenSocket,
    consoleLog: files.log,
    pidFile: files.pidFile,
    ...(memoryFile === undefined ? {} : { memoryFile }),
    ...(statePath === undefined ? {} : { incoming: true }),
  });
  await writeFile(files.log, "", { mode: 0o600 });
  const tpm = await startSwtpm((await swtpmProgram()) ?? "", files.tpm);
  const launch = {
    binary: await qemuBinary(),
    args: windowsQemuArguments(spec),
    logPath: files.qemuLog,
    cwd: files.folder,
    qmpSocket: files.qmpSocket,
  };
  const state =
    statePath === undefined ? undefined : await open(statePath, "r");
  let qemu: LaunchedQemu | undefined;
  const end = async (): Promise<void> => {
    qemu?.qmp.close();
    for (const each of [qemu, tpm])
      if (each !== undefined) {
        await endProcess(each, "SIGKILL");
        await waitForExit(each, 5_000);
      }
  };
  const agent = <T>(work: (agent: GuestAgent) => Promise<T>): Promise<T> =>
    withAgent(files.agentSocket, { timeoutMs: 20_000, tries: 3 }, work);
  try {
    qemu = await launchQemu({
      ...launch,
      inherit: state === undefined ? [] : [state.fd],
    });
    if (state !== undefined)
      await restoreState(qemu.qmp, firstInherited, {
        ignoreShared: memoryFile !== undefined,
      });
    return {
      ...{ files, spec, qemu, tpm, agent, end },
      run: async (line) => {
        const { code, stdout, stderr } = await agent((one) =>
          one.exec(["sh", "-c", line]),
        );
        if (code !== 0) throw new Error(`${line}: ${stderr}`);
        return stdout.trim();
      },
    };
  } catch (error) {
    await end();
    throw error;
  } finally {
    await state?.close();
  }
}
