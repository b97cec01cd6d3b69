import { appendFile, rm } from "node:fs/promises";
import { given } from "../../../../base/given.ts";
import { withDeadline } from "../../../../base/deadline.ts";
import {
  bug,
  failed,
  GuesthouseError,
  toFailure,
} from "../../../../protocol/failure.ts";
import { requestShutdown } from "../../../guests/boot/shutdown.ts";
import { freePorts } from "../../../networks/ports.ts";
import { type LaunchedQemu, waitForExit } from "../../../qemu/process.ts";
import type { InstallFiles } from "../../../store/layout.ts";
import { helperEnds } from "../../jobs/jobs.ts";
import type { OnProgress } from "../../golden/made.ts";
import { manifestDigest, readScriptSources } from "../steps/scripts.ts";
import { type WindowsStep, windowsSteps } from "../steps/steps.ts";
import { accessTo } from "./begin.ts";
import { follow, setupLogOf } from "./follow.ts";
import type { InstallHost } from "./host.ts";
import { installReport, keepInstalled } from "./keep.ts";
import { adoptMachine, endMachine, startMachine } from "./machine.ts";
import { prepareMedia } from "./media.ts";
import { type InstallRecord, installFiles, writeInstall } from "./record.ts";
import type { InstallRules, InstallWord } from "./watch.ts";

/** A machine that ended while no helper was there is started again, but not for ever. */
const maxLaunches = 3;

/**
 * Goes on with an installation, or with the preparation of a disk that came with Windows, from wherever its record says
 * that it is, until its image is in the store; then nothing else of it is left. Cancelled, nothing at all is left; failed,
 * its record with the reason, its log and the last picture of its screen. When the helper ends, everything stays as it is,
 * and the machine runs on.
 */
export async function install(
  host: InstallHost,
  begun: InstallRecord,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<void> {
  const files = installFiles(host.layout, begun);
  let record = begun;
  const save = async (changes: Partial<InstallRecord>): Promise<void> => {
    record = await writeInstall(host.layout, { ...record, ...changes });
  };
  try {
    const sources = await readScriptSources(host.resources);
    const manifest = manifestDigest(sources);
    if (record.phase === "preparing") {
      await prepareMedia(host, record, onProgress, signal);
      await save({ phase: "installing" });
    }
    if (record.phase === "installing")
      await untilInstalled(
        host,
        {
          ...{ files, manifest, save, record: () => record },
          steps: windowsSteps(sources),
        },
        onProgress,
        signal,
      );
    await switchedOff(host, files, onProgress, signal);
    await keepInstalled(host, { record, manifest }, onProgress, signal);
    await forgetInstall(host, record);
  } catch (error) {
    if (signal.reason === helperEnds) throw error;
    // What couldn't even be begun is told to the one who asked, and there is nothing to look at.
    if (signal.aborted || record.phase === "preparing") {
      await forgetInstall(host, record);
      throw error;
    }
    const failure =
      error instanceof GuesthouseError ? error.failure : toFailure(error);
    // What took an hour is not thrown away because the disk is full now: asking for it again goes on.
    if (record.phase === "keeping") await save({ failure });
    else await leaveFailed(host, record, failure);
    throw error;
  }
}

/** One installation under way: its record as it is now, and how that is changed. */
interface Run {
  readonly record: () => InstallRecord;
  readonly save: (changes: Partial<InstallRecord>) => Promise<void>;
  readonly files: InstallFiles;
  readonly steps: readonly WindowsStep[];
  readonly manifest: string;
}

/** From the machine's start to the marker, with whatever lies between. */
async function untilInstalled(
  host: InstallHost,
  run: Run,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<void> {
  const { record, save, files, steps, manifest } = run;
  onProgress({ stage: "firmware", screen: files.screenSocket });
  const machine =
    (await adoptMachine(files, signal)) ?? (await launched(host, run, signal));
  try {
    const word = await follow(
      host,
      {
        ...{ machine, files, restarts: record().restarts },
        rules: rulesOf(host, record().origin, { steps, manifest }),
        ...accessTo(host, record(), files),
        onLook: ({ stage, detail, fraction }, diskBytes) =>
          onProgress({
            ...{ stage, bytes: diskBytes, screen: files.screenSocket },
            ...given({ detail, fraction }),
          }),
        onRestarts: (restarts) => save({ restarts }),
      },
      signal,
    );
    if (word.kind === "failed") {
      await takeEvidence(host, { machine, files, word }, signal);
      throw notInstalled(word, record(), files);
    }
    // Written before it is switched off: whoever finds it off knows why.
    await save({
      phase: "keeping",
      report: installReport(
        record().origin.kind,
        steps,
        word.results,
        new Date(),
      ),
    });
  } finally {
    machine.qmp.close();
  }
}

async function launched(
  host: InstallHost,
  { record, save, files }: Run,
  signal: AbortSignal,
): Promise<LaunchedQemu> {
  const launches = record().launches + 1;
  if (launches > maxLaunches)
    throw failed(
      "images.buildFailed",
      `The machine that Windows runs on ended ${String(maxLaunches)} times.`,
      {
        remedy: `Look into ${files.log}; begin anew when this computer stays on for an hour.`,
      },
    );
  await endMachine(files);
  const { origin } = record();
  const reachedBySsh = origin.kind === "disk" && origin.login !== undefined;
  const [sshPort] = reachedBySsh ? await freePorts(1) : [];
  await save({ launches, ...given({ sshPort }) });
  return startMachine(host, record(), signal);
}

/** Windows has said that it is ready: off with it, so that its disk is at rest. */
async function switchedOff(
  host: InstallHost,
  files: InstallFiles,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<void> {
  const machine = await adoptMachine(files, signal);
  if (machine !== undefined)
    try {
      onProgress({
        ...{ stage: "prepare", detail: "Windows switches itself off" },
        screen: files.screenSocket,
      });
      await requestShutdown(
        files.agentSocket,
        async () => {
          await machine.qmp.execute("system_powerdown");
        },
        signal,
      );
      if (!(await waitForExit(machine, host.offTimeoutMs, signal)))
        throw failed(
          "images.buildFailed",
          "Windows is ready, but doesn't switch itself off.",
          {
            remedy: `Shut it down at its screen (VNC on ${files.screenSocket}), then ask for the same image again.`,
          },
        );
    } finally {
      machine.qmp.close();
    }
  await endMachine(files);
}

const rulesOf = (
  { stallMs, giveUpMs, reachMs }: InstallHost,
  { kind }: InstallRecord["origin"],
  of: Pick<InstallRules, "steps" | "manifest">,
): InstallRules => ({
  ...of,
  stallMs,
  giveUpMs,
  ...(kind === "disk" ? { reachMs } : {}),
});

/** Remedies by what went wrong; each is a sentence of its own. */
function notInstalled(
  word: Extract<InstallWord, { kind: "failed" }>,
  { name, origin }: InstallRecord,
  { log, picture }: InstallFiles,
): GuesthouseError {
  const steps = [...(word.results?.steps.values() ?? [])]
    .filter(({ ok }) => !ok)
    .map(({ id }) => id);
  const ofDrivers = ["boot-drivers", "drivers", "guest-agent", "viosock"];
  const advice =
    word.why === "unreached"
      ? notReached(name, origin)
      : steps.some((id) => ofDrivers.includes(id))
        ? "Check that the driver ISO is virtio-win's and newer than this Windows"
        : word.why === "stalled"
          ? "Look at the last picture of its screen: setup may have asked something"
          : "Begin anew; report it if it happens again";
  return failed("images.buildFailed", word.message, {
    remedy: `${advice}. Its log: ${log}; its screen: ${picture}.`,
    actions: ["report"],
  });
}

/** Nothing can be put into a disk that nobody inside answers for. */
const notReached = (name: string, { path }: InstallRecord["origin"]): string =>
  `Install QEMU's guest agent and the driver vioserial in it where the disk comes from (virtio-win-guest-tools.exe on the driver ISO does both; a disk without UEFI doesn't start at all), or an SSH server, and give --password-file or --key; or install Windows from its ISO. guesthouse image import --os windows --name ${name} ${path} takes the disk as it is`;

const evidenceMs = 20_000;

interface Failed {
  readonly machine: LaunchedQemu;
  readonly files: InstallFiles;
  readonly word: Extract<InstallWord, { kind: "failed" }>;
}

/** What somebody needs who wants to know why: the last picture, and the log of the scripts where an agent gives it. */
async function takeEvidence(
  host: InstallHost,
  { machine, files, word }: Failed,
  signal: AbortSignal,
): Promise<void> {
  try {
    await withDeadline(
      "the log of the scripts",
      evidenceMs,
      async (within) => {
        const told = await setupLogOf(host, files, within).catch(
          () => undefined,
        );
        const results = word.results?.steps.values() ?? [];
        await appendFile(
          files.log,
          `\n${told ?? ""}\n${JSON.stringify([...results], null, 2)}\n`,
          { mode: 0o600 },
        );
        await machine.qmp.execute("screendump", {
          ...{ filename: files.picture, format: "png" },
        });
      },
      signal,
    );
  } catch (error) {
    signal.throwIfAborted();
    host.log.warn("a failed installation of Windows leaves less to look at", {
      error,
    });
  }
}

/** Ends what runs and removes everything, its record first: what is found without one is nobody's. */
export async function forgetInstall(
  { layout }: Pick<InstallHost, "layout">,
  record: InstallRecord,
): Promise<void> {
  const files = installFiles(layout, record);
  await rm(files.record, { force: true });
  await endMachine(files);
  await rm(files.folder, { recursive: true, force: true, maxRetries: 5 });
  for (const path of [files.log, files.picture])
    await rm(path, { force: true });
}

async function leaveFailed(
  { layout }: Pick<InstallHost, "layout">,
  record: InstallRecord,
  failure: InstallRecord["failure"],
): Promise<void> {
  if (failure === undefined) throw bug("A failure without a reason.");
  const files = installFiles(layout, record);
  await writeInstall(layout, { ...record, phase: "failed", failure });
  await endMachine(files);
  for (const path of [
    files.disk,
    files.base,
    files.variables,
    files.installer,
    files.answers,
    files.qemuLog,
    files.tpm.logPath,
  ])
    await rm(path, { force: true });
  await rm(files.tpm.stateFolder, { recursive: true, force: true });
}
