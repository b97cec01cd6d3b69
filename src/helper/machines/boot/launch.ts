/*
 * Starts the QEMU of one machine, with its network and what else serves it, and answers with its living part. It owns
 * all of that until then: whatever fails, no process, socket or handle is left. Called by the start and by the pool.
 */
import { portInGuest } from "../../../protocol/forwards.ts";
import { open, type FileHandle } from "node:fs/promises";
import type { Log } from "../../../base/log.ts";
import { failed } from "../../../protocol/failure.ts";
import type { StartWay } from "../../../protocol/machines.ts";
import type { GoldenImage } from "../../images/golden/goldenImage.ts";
import {
  type Connection,
  connectNetwork,
  networkFor,
} from "../../networks/connect.ts";
import { restoreState } from "../../qemu/restoreState.ts";
import {
  endProcess,
  firstInherited,
  type LaunchedQemu,
  launchQemu,
  waitForExit,
} from "../../qemu/process.ts";
import { learnHotPages, prefetchHotPages } from "../../snapshots/hotPages.ts";
import type { Layout, MachineFiles } from "../../store/layout.ts";
import type { MachineHandles, MachineRecord } from "../../store/records.ts";
import { writeHandles } from "../../store/records.ts";
import { firstLease } from "../identity/addresses.ts";
import { beginBoot } from "../roster/bootLog.ts";
import type { Environment } from "./environment.ts";
import type { Live } from "../roster/entry.ts";
import { orDiskFull } from "./fullDisk.ts";
import { removeLeftovers } from "../roster/leftovers.ts";
import type { Prepared } from "./prepared.ts";
import { choosePorts, isPortTaken, type Ports, portTaken } from "./ports.ts";
import {
  demandFit,
  leasesOf,
  memoryOf,
  savedOnUserNetwork,
  type StartFrom,
  wayOf,
} from "./startFrom.ts";
import { booting } from "./systems.ts";

export interface LaunchDeps {
  readonly layout: Layout;
  readonly log: Log;
}

const sshGuestPort = 22;

/** Between asking for a free port and QEMU's taking it somebody else may: then others are tried. */
const portTries = 4;

const endMs = 5_000;

const titles: Readonly<Record<StartWay, string>> = {
  cold: "boot",
  warm: "warm clone",
  fork: "fork",
  restored: "resume",
};

/** One start of one machine. */
export interface Launch {
  readonly record: MachineRecord;
  readonly image: GoldenImage;
  readonly environment: Environment;
  readonly from: StartFrom;
}

/**
 * Starts QEMU for a machine and answers once its monitor does, and once a saved state is loaded. Nothing stays behind
 * when it fails: `machines.startFailed` with QEMU's own words, `machines.portTaken` when a wanted port is in use,
 * `machines.captureFailed` when a saved state doesn't fit, which is refused before anything is done where it is known.
 */
export async function launchMachine(
  launch: Launch,
  deps: LaunchDeps,
  signal?: AbortSignal,
): Promise<Live> {
  const { record, environment, from } = launch;
  const files = deps.layout.machine(record.id);
  demandFit(record, from, environment);
  if (from.kind === "template") void prefetchHotPages(from.files);
  await removeLeftovers(files);
  // Meanwhile the network gets ready.
  const preparing = prepare(launch, files);
  preparing.catch(() => undefined);
  for (let tryNumber = 1; ; tryNumber++) {
    const ports = await choosePorts(record);
    const abandoning: Abandoning = [];
    try {
      return await tryOnce(
        { ...launch, ...ports, preparing, abandoning },
        deps,
        signal,
      );
    } catch (error) {
      for (const abandon of abandoning) await abandon();
      await removeLeftovers(files);
      if (!isPortTaken(error)) throw await orDiskFull(error, files.folder);
      const wanted = record.forwards.filter(({ hostPort }) => hostPort !== 0);
      if (wanted.length > 0) throw portTaken(wanted, error);
      if (tryNumber === portTries) throw error;
    }
  }
}

/** Begins the boot log's chapter and answers where it begins, with what QEMU is to be started with. */
const prepare = (
  { record, image, environment, from }: Launch,
  files: MachineFiles,
): Promise<[logOffset: number, Prepared]> =>
  Promise.all([
    beginBoot(
      files.log,
      `${record.name} · ${titles[wayOf(from)]} ${new Date().toISOString()} · ${image.name} · ${String(record.cpus)} CPU · ${String(record.memoryMiB)} MiB · ${environment.accelerator.kind}`,
    ),
    booting[record.os].prepare(record, image, environment, files),
  ]);

/** What of a start has to go when QEMU didn't come, in this order. */
type Abandoning = (() => Promise<void>)[];

interface Try extends Launch, Ports {
  readonly preparing: ReturnType<typeof prepare>;
  readonly abandoning: Abandoning;
}

/** With these ports: the network, then what QEMU needs beside it, QEMU, and last the handles that tell of it. */
async function tryOnce(
  attempt: Try,
  deps: LaunchDeps,
  signal: AbortSignal | undefined,
): Promise<Live> {
  const { record, from, abandoning } = attempt;
  const files = deps.layout.machine(record.id);
  const startedAtMs = Date.now();
  const connection = await connect(attempt, deps, signal);
  abandoning.push(() => connection.end());
  const [logOffset, prepared] = await attempt.preparing;
  abandoning.push(prepared.abandon);
  await prepared.begin(signal);
  const { qmp, pid, startTime } = await startQemu(
    prepared.arguments({ network: connection.network, ...memoryOf(from) }),
    attempt,
    files,
    signal,
  );
  const handles: MachineHandles = {
    ...{ pid, startTime, startedAtMs, logOffset },
    ...handlesOf(attempt, connection),
  };
  await writeHandles(files, handles).catch(async (error: unknown) => {
    // The disk is full: a process that is noted nowhere would hold the machine's disk for ever.
    qmp.close();
    await endProcess(handles, "SIGKILL");
    await waitForExit(handles, endMs);
    throw error;
  });
  const { sshPort, way, network } = handles;
  deps.log.info("QEMU started", {
    machine: record.id,
    ...{ pid, sshPort, way, network },
  });
  const watch = new AbortController();
  if (from.kind === "template")
    void learnHotPages(pid, from.files, watch.signal);
  return {
    ...{ handles, qmp, watch },
    stopReason: undefined,
    shutdownCause: undefined,
  };
}

/** What is known of a start before there is a process. */
function handlesOf(
  { record, environment: { accelerator }, from, sshPort, forwards }: Try,
  { network: { backend }, reason, process }: Connection,
): Omit<MachineHandles, "pid" | "startTime" | "startedAtMs" | "logOffset"> {
  const way = wayOf(from);
  return {
    way,
    accelerator: accelerator.kind,
    acceleratorReason: accelerator.reason,
    ...{ sshPort, forwards },
    leases: backend === "user" ? leasesOf(record, from) : 0,
    network: {
      backend,
      hostLoopbackReachable: backend === "user",
      ...{ reason, process },
    },
    boot: [{ stage: way === "cold" ? "firmware" : "clone", atMs: 0 }],
  };
}

function connect(
  { record, environment, from, sshPort, forwards }: Try,
  { layout, log }: LaunchDeps,
  signal: AbortSignal | undefined,
): Promise<Connection> {
  const files = layout.machine(record.id);
  const choice = networkFor(environment.network, {
    hostLoopback: record.hostLoopback,
    forwards: record.forwards.length > 0,
    savedOnUserNetwork: savedOnUserNetwork(from),
  });
  return connectNetwork(
    choice,
    {
      ...files.network,
      cwd: files.folder,
      guestAddress: record.guestAddress,
      firstLease: firstLease(record.guestAddress, leasesOf(record, from)),
      forwards: [
        { hostPort: sshPort, guestPort: sshGuestPort },
        ...forwards.map((forward) => ({
          hostPort: forward.hostPort,
          guestPort: portInGuest(forward),
        })),
      ],
    },
    log,
    signal,
  );
}

/** Starts QEMU and loads the saved state, if any, which QEMU inherits as an open file. */
async function startQemu(
  args: string[],
  { from, environment }: Pick<Launch, "from" | "environment">,
  files: MachineFiles,
  signal: AbortSignal | undefined,
): Promise<LaunchedQemu> {
  const launch = {
    binary: environment.binary,
    args,
    logPath: files.qemuLog,
    cwd: files.folder,
    qmpSocket: files.qmpSocket,
  };
  if (from.kind === "cold") return launchQemu(launch, signal);
  const state = await openState(
    from.kind === "template" ? from.files.state : from.path,
  );
  let launched: LaunchedQemu | undefined;
  try {
    launched = await launchQemu({ ...launch, inherit: [state.fd] }, signal);
    await restoreState(
      launched.qmp,
      firstInherited,
      { ignoreShared: from.kind === "template" },
      signal,
    );
    return launched;
  } catch (error) {
    launched?.qmp.close();
    if (launched !== undefined) await endProcess(launched, "SIGKILL");
    throw error;
  } finally {
    await state.close();
  }
}

const openState = async (path: string): Promise<FileHandle> => {
  try {
    return await open(path, "r");
  } catch (cause) {
    throw failed("machines.captureFailed", "The saved state can't be opened.", {
      remedy: "Start the machine cold; its disk is complete.",
      cause,
    });
  }
};
