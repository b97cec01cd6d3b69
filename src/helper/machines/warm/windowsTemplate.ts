import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { sleep } from "../../../base/deadline.ts";
import { faultPoint } from "../../../base/faultPoint.ts";
import { makePrivateFolder } from "../../../base/files.ts";
import { GuesthouseError } from "../../../protocol/failure.ts";
import { withAgent } from "../../guests/agent/agent.ts";
import { bootTimeoutMs } from "../../guests/boot/timeouts.ts";
import { applyToWindows } from "../../guests/handoff/windowsIdentity.ts";
import { windowsProgram } from "../../guests/programs/powershellProgram.ts";
import { freePorts } from "../../networks/ports.ts";
import { createOverlay } from "../../qemu/block.ts";
import {
  endProcess,
  type LaunchedQemu,
  launchQemu,
  waitForExit,
} from "../../qemu/process.ts";
import { removeSwtpm } from "../../qemu/swtpm.ts";
import { sentenceOf } from "../identity/identity.ts";
import { cantBe, endedEarly } from "./templateFailure.ts";
import {
  type BootTemplate,
  saveAndEnd,
  type TemplateMaking,
  templatePrefix,
} from "./templateMaking.ts";
import { prepareWindows, type WindowsFiles } from "../boot/windowsArguments.ts";

const gib = 1024 ** 3;

/**
 * Boots Windows once, lets it come to rest and saves it. It forgets nothing: a clone is told its host key, the user's key
 * and the time when it resumes, before anybody logs in; name, SID and what the TPM holds are those of the image as in every
 * clone (docs/windows-clones.md). Unverified on Windows.
 */
export const bootWindowsTemplate: BootTemplate = async (
  making,
  macAddress,
  connect,
  signal,
) => {
  const { id, image, shape, environment, layout, onStage } = making;
  const { folder, disk, memory, variables } = layout.template(id);
  const socket = (kind: string): string =>
    join(layout.run, `${templatePrefix}${id}.${kind}`);
  const files: WindowsFiles = {
    ...{ disk, variables, seed: join(folder, "seed.iso") },
    qmpSocket: socket("qmp"),
    agentSocket: socket("agent"),
    consoleSocket: socket("console"),
    screenSocket: socket("screen"),
    log: join(layout.logs, `template-${id}.log`),
    pidFile: join(folder, "qemu.pid"),
    tpm: {
      stateFolder: join(folder, "tpm"),
      socketPath: socket("tpm"),
      pidFile: socket("tpm.pid"),
      logPath: join(folder, "tpm.log"),
    },
  };
  for (const path of [layout.run, layout.logs]) await makePrivateFolder(path);
  await rm(files.log, { force: true });
  await createOverlay(
    {
      path: disk,
      backingPath: image.files.disk,
      sizeBytes: Math.ceil(shape.diskGiB * gib),
    },
    signal,
  );
  onStage("boot");
  const prepared = await prepareWindows(
    {
      name: "guesthouse-template",
      uuid: randomUUID(),
      cpus: shape.cpus,
      memoryMiB: shape.memoryMiB,
      macAddress,
      vmGenerationId: randomUUID(),
    },
    image,
    environment,
    files,
  );
  const [port = 0] = await freePorts(1);
  const network = await connect(port);
  let launched: LaunchedQemu | undefined;
  try {
    await prepared.begin(signal);
    launched = await launchQemu(
      {
        binary: environment.binary,
        args: prepared.arguments({
          network,
          memoryFile: { path: memory, shared: true },
        }),
        logPath: join(folder, "qemu.log"),
        cwd: folder,
        qmpSocket: files.qmpSocket,
      },
      signal,
    );
    await settleAndSave(making, launched, files, signal);
  } finally {
    await clear(launched, files);
  }
};

async function settleAndSave(
  making: TemplateMaking,
  launched: LaunchedQemu,
  files: WindowsFiles,
  signal: AbortSignal,
): Promise<void> {
  const gone = new AbortController();
  void launched.qmp.closed.then(() => gone.abort());
  const within = AbortSignal.any([signal, gone.signal]);
  try {
    faultPoint("template.launched", launched.pid);
    await untilItself(making, files, within);
    faultPoint("template.booted", launched.pid);
    making.onStage("settle");
    await settle(making, files, within);
    await saveAndEnd(making, launched, signal);
  } catch (error) {
    throw gone.signal.aborted && !signal.aborted
      ? await endedEarly(making.layout.template(making.id).folder, error)
      : error;
  }
}

/** Its services come up in any order. */
const againMs = 2_000;

/** What clones are told by must work in the template, or no clone of it would ever be itself. */
async function untilItself(
  { image, environment }: TemplateMaking,
  { agentSocket }: WindowsFiles,
  signal: AbortSignal,
): Promise<void> {
  const limitMs = bootTimeoutMs({
    accelerator: environment.accelerator.kind,
    expectedBootSeconds: image.expectedBootSeconds,
  });
  const endsAtMs = performance.now() + limitMs;
  for (;;) {
    const timeoutMs = Math.max(endsAtMs - performance.now(), againMs);
    const outcome = await applyToWindows(
      agentSocket,
      {},
      { timeoutMs },
      signal,
    );
    const isItself = outcome.kind === "applied";
    if (isItself && outcome.sshd) return;
    if (performance.now() >= endsAtMs)
      throw cantBe(
        `“${image.name}” was not reached within ${String(Math.round(limitMs / 1000))} s (${isItself ? "its SSH server doesn't answer" : sentenceOf(outcome)})`,
      );
    await sleep(againMs, signal);
  }
}

/** Windows goes on with much after its services answer: no clone shall resume into that. Then to the disk with what isn't there. */
export const settleScript = `$quiet = 0
for ($i = 0; $quiet -lt 3 -and $i -lt 60; $i++) {
  $load = (Get-CimInstance -ClassName Win32_Processor | Measure-Object -Property LoadPercentage -Average).Average
  if ($load -lt 10) { $quiet++ } else { $quiet = 0 }
  Start-Sleep -Seconds 5
}
Write-VolumeCache -DriveLetter $env:SystemDrive.Substring(0, 1)`;

/** The script's own end comes before. */
const settleMs = 600_000;

/** A template that is busy is a slower one and no wrong one. */
async function settle(
  { log, id }: TemplateMaking,
  { agentSocket }: WindowsFiles,
  signal: AbortSignal,
): Promise<void> {
  const { argv, input = "" } = windowsProgram(settleScript);
  try {
    await withAgent(
      agentSocket,
      { timeoutMs: 10_000, tries: 1 },
      async (agent, within) => {
        const options = { input, timeoutMs: settleMs };
        const { code, stderr } = await agent.exec(argv, options, within);
        if (code !== 0)
          log.info("a template did not settle", { template: id, stderr });
      },
      signal,
    );
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof GuesthouseError)) throw error;
    log.info("a template did not settle", { template: id, error });
  }
}

/** Ends what still runs, and leaves nothing but what clones need. */
async function clear(
  launched: LaunchedQemu | undefined,
  files: WindowsFiles,
): Promise<void> {
  launched?.qmp.close();
  if (launched !== undefined && (await endProcess(launched, "SIGKILL")))
    await waitForExit(launched, 10_000);
  await removeSwtpm(files.tpm);
  const { qmpSocket, agentSocket, consoleSocket, screenSocket } = files;
  const { stateFolder, logPath } = files.tpm;
  for (const path of [
    ...[qmpSocket, agentSocket, consoleSocket, screenSocket],
    ...[files.pidFile, logPath, stateFolder],
  ])
    await rm(path, { recursive: true, force: true });
}
