import { open, type FileHandle } from "node:fs/promises";
import type { Log } from "../../base/log.ts";
import { failed, GuesthouseError } from "../../protocol/failure.ts";
import type { Forward, StartWay } from "../../protocol/machines.ts";
import type { GoldenImage } from "../images/goldenImage.ts";
import {
  type Connection,
  connectNetwork,
  networkFor,
} from "../networks/connect.ts";
import { freePorts } from "../networks/ports.ts";
import { restoreState } from "../qemu/migration.ts";
import {
  endProcess,
  firstInherited,
  type LaunchedQemu,
  launchQemu,
  waitForExit,
} from "../qemu/process.ts";
import { learnHotPages, prefetchHotPages } from "../snapshots/hotPages.ts";
import type { Layout, TemplateFiles } from "../store/layout.ts";
import type {
  MachineHandles,
  MachineRecord,
  SavedWith,
} from "../store/records.ts";
import { writeHandles } from "../store/records.ts";
import { firstLease, keepsCard } from "./addresses.ts";
import { beginBoot } from "./bootLog.ts";
import type { Environment } from "./environment.ts";
import type { Live } from "./entry.ts";
import { orDiskFull } from "./fullDisk.ts";
import { removeLeftovers } from "./leftovers.ts";
import { prepareMachine } from "./machineArguments.ts";
import type { StartSpec } from "./prepared.ts";
import { coldRemedy, unfitRefusal } from "./savedWith.ts";

export interface LaunchDeps {
  readonly layout: Layout;
  readonly log: Log;
}

/** Where a machine's QEMU begins. After `template` and `state` the guest stands paused in the middle of its life. */
export type StartFrom =
  | { readonly kind: "cold" }
  | {
      readonly kind: "template";
      readonly files: TemplateFiles;
      /** What it was saved with. */
      readonly network: "user" | "passt";
    }
  | {
      readonly kind: "state";
      readonly path: string;
      readonly way: Exclude<StartWay, "cold" | "warm">;
      /** See `addresses.ts`. */
      readonly leases: number;
      readonly savedWith?: SavedWith | undefined;
    };

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

/**
 * Starts QEMU for a machine and answers once its monitor does, and once a saved state is loaded. Nothing stays behind
 * when it fails: `machines.startFailed` with QEMU's own words, `machines.portTaken` when a wanted port is in use,
 * `machines.captureFailed` when a saved state doesn't fit, which is refused before anything is done where it is known.
 */
export async function launchMachine(
  record: MachineRecord,
  image: GoldenImage,
  environment: Environment,
  deps: LaunchDeps,
  from: StartFrom,
  signal?: AbortSignal,
): Promise<Live> {
  const files = deps.layout.machine(record.id);
  demandFit(record, from, environment);
  if (from.kind === "template") void prefetchHotPages(from.files);
  await removeLeftovers(files);
  const { accelerator } = environment;
  const way = wayOf(from);
  const leases = leasesOf(from, keepsCard[record.os]);
  const choice = networkFor(environment.network, {
    hostLoopback: record.hostLoopback,
    forwards: record.forwards.length > 0,
    savedOnUserNetwork: savedOnUserNetwork(from),
  });
  // Meanwhile the network gets ready.
  const preparing = Promise.all([
    beginBoot(
      files.log,
      `${record.name} · ${titles[way]} ${new Date().toISOString()} · ${image.name} · ${String(record.cpus)} CPU · ${String(record.memoryMiB)} MiB · ${accelerator.kind}`,
    ),
    prepareMachine[record.os](record, image, environment, files),
  ]);
  preparing.catch(() => undefined);
  for (let tryNumber = 1; ; tryNumber++) {
    const { sshPort, forwards } = await choosePorts(record);
    const startedAtMs = Date.now();
    let connection: Connection | undefined;
    let abandon: (() => Promise<void>) | undefined;
    try {
      connection = await connectNetwork(
        choice,
        {
          ...files.network,
          cwd: files.folder,
          guestAddress: record.guestAddress,
          firstLease: firstLease(record.guestAddress, leases),
          forwards: [
            { hostPort: sshPort, guestPort: sshGuestPort },
            ...forwards,
          ],
        },
        deps.log,
        signal,
      );
      const [logOffset, prepared] = await preparing;
      const { network } = connection;
      ({ abandon } = prepared);
      await prepared.begin(signal);
      const { qmp, pid, startTime } = await startQemu(
        prepared.arguments({ network, ...memoryOf(from) }),
        from,
        environment,
        files,
        signal,
      );
      const { backend } = network;
      const handles: MachineHandles = {
        pid,
        startTime,
        startedAtMs,
        way,
        accelerator: accelerator.kind,
        acceleratorReason: accelerator.reason,
        sshPort,
        forwards,
        leases: backend === "user" ? leases : 0,
        network: {
          backend,
          hostLoopbackReachable: backend === "user",
          reason: connection.reason,
          process: connection.process,
        },
        logOffset,
        boot: [
          way === "cold"
            ? { stage: "firmware", atMs: 0 }
            : { stage: "clone", atMs: 0 },
        ],
      };
      await writeHandles(files, handles).catch(async (error: unknown) => {
        // The disk is full: a process that is noted nowhere would hold the machine's disk for ever.
        qmp.close();
        await endProcess(handles, "SIGKILL");
        await waitForExit(handles, endMs);
        throw error;
      });
      deps.log.info("QEMU started", {
        machine: record.id,
        pid,
        sshPort,
        way,
        network: handles.network,
      });
      const watch = new AbortController();
      if (from.kind === "template")
        void learnHotPages(pid, from.files, watch.signal);
      return {
        handles,
        qmp,
        stopReason: undefined,
        watch,
        shutdownCause: undefined,
      };
    } catch (error) {
      await connection?.end();
      await abandon?.();
      await removeLeftovers(files);
      if (!isPortTaken(error)) throw await orDiskFull(error, files.folder);
      const wanted = record.forwards.filter(({ hostPort }) => hostPort !== 0);
      if (wanted.length > 0) throw portTaken(wanted, error);
      if (tryNumber === portTries) throw error;
    }
  }
}

const wayOf = (from: StartFrom): StartWay =>
  from.kind === "cold" ? "cold" : from.kind === "template" ? "warm" : from.way;

/**
 * The place in the user network's memory that this machine's card gets. A state that was saved there knows the cards
 * that it served; a guest that takes on another identity brings one more.
 */
function leasesOf(from: StartFrom, isSameCard: boolean): number {
  switch (from.kind) {
    case "cold":
      return 1;
    case "template":
      return from.network === "user" && !isSameCard ? 2 : 1;
    case "state":
      return from.way === "fork" && !isSameCard
        ? from.leases + 1
        : Math.max(from.leases, 1);
  }
}

const savedOnUserNetwork = (from: StartFrom): boolean =>
  from.kind === "template"
    ? from.network === "user"
    : from.kind === "state" && from.leases > 0;

function demandFit(
  { name }: MachineRecord,
  from: StartFrom,
  environment: Environment,
): void {
  if (from.kind !== "state") return;
  const error = unfitRefusal(
    `“${name}”`,
    from.savedWith,
    environment,
    coldRemedy(name),
  );
  if (error !== undefined) throw error;
}

const memoryOf = (from: StartFrom): Omit<StartSpec, "network"> =>
  from.kind === "cold"
    ? {}
    : from.kind === "template"
      ? {
          incoming: true,
          memoryFile: { path: from.files.memory, shared: false },
        }
      : { incoming: true, machineType: from.savedWith?.machineType };

/** Starts QEMU and loads the saved state, if any, which QEMU inherits as an open file. */
async function startQemu(
  args: string[],
  from: StartFrom,
  environment: Environment,
  files: ReturnType<Layout["machine"]>,
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

async function choosePorts(
  record: MachineRecord,
): Promise<{ sshPort: number; forwards: Forward[] }> {
  const open = record.forwards.filter(({ hostPort }) => hostPort === 0);
  const [sshPort = 0, ...rest] = await freePorts(1 + open.length);
  const forwards = record.forwards.map((forward) =>
    forward.hostPort === 0
      ? { ...forward, hostPort: rest.shift() ?? 0 }
      : forward,
  );
  return { sshPort, forwards };
}

const isPortTaken = (error: unknown): boolean =>
  error instanceof GuesthouseError &&
  error.failure.code === "machines.portTaken";

const portTaken = (
  wanted: readonly Forward[],
  cause: unknown,
): GuesthouseError =>
  failed(
    "machines.portTaken",
    `A port of this host that the machine forwards is in use: ${wanted.map(({ hostPort }) => String(hostPort)).join(" or ")}.`,
    {
      remedy:
        "End the program that listens there, or give the machine another port.",
      actions: ["retry"],
      cause,
    },
  );
