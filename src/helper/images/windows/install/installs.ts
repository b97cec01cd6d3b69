/*
 * Installations of Windows and preparations of disks that have it: at most one a name, each a job of the images room that
 * the helper itself waits for. It owns the list of those that failed or wait for their end; what they are is in their
 * records on disk, so the next helper goes on with them. The images room makes one.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { GuesthouseError, refused } from "../../../../protocol/failure.ts";
import { newMacAddress } from "../../../networks/macAddress.ts";
import { swtpmProgram } from "../../../qemu/swtpm.ts";
import type { Jobs, ProgressListener } from "../../jobs/jobs.ts";
import type { Ledger } from "../../catalog/ledger.ts";
import type { InstallHost } from "./host.ts";
import { forgetInstall, install } from "./install.ts";
import { endStrayMachines } from "./machine.ts";
import {
  installFiles,
  type InstallRecord,
  readInstall,
  readInstalls,
  writeInstall,
} from "./record.ts";
import {
  type InstallSource,
  type InstallWish,
  type PrepareWish,
  requireDrivers,
  sourceAgain,
  sourceOfDisk,
  sourceOfIso,
} from "./wishes.ts";

/**
 * Installations of Windows, and preparations of disks that have it. They belong to the helper, and to the next one; whoever
 * asks only watches.
 */
export interface Installs {
  /**
   * Begins one, or goes on with the one of this name, and answers with the image's name when that is ready. Aborting
   * `signal` leaves it to itself; `images.cancel` ends it.
   */
  readonly install: (
    wish: InstallWish,
    onProgress?: ProgressListener,
    signal?: AbortSignal,
  ) => Promise<string>;
  /** The same for a disk that came with Windows. */
  readonly prepare: (
    wish: PrepareWish,
    onProgress?: ProgressListener,
    signal?: AbortSignal,
  ) => Promise<string>;
  /** Begins a failed one anew, as it was wished for, or goes on with one that is under way; as `install` otherwise. */
  readonly again: (
    name: string,
    onProgress?: ProgressListener,
    signal?: AbortSignal,
  ) => Promise<string>;
  /** Goes on with what earlier helpers began. Call it once, when everything else is in place. */
  readonly goOn: () => Promise<void>;
  /** Whether there is one, failed or not. */
  readonly has: (name: string) => boolean;
  /** Forgets an installation that failed; false where there is none. */
  readonly forget: (name: string) => Promise<boolean>;
}

export async function createInstalls(
  host: InstallHost,
  jobs: Jobs,
  ledger: Ledger,
): Promise<Installs> {
  const room: Room = { host, jobs, ledger, known: new Map() };
  for (const record of await readInstalls(host.layout, host.log))
    take(room, record);
  return {
    install: async (wish, ...watching) => {
      requireProcessor(host);
      return joinOrBegin(room, await sourceOfIso(wish), ...watching);
    },
    prepare: async (wish, ...watching) => {
      requireProcessor(host);
      return joinOrBegin(room, await sourceOfDisk(wish), ...watching);
    },
    again: async (name, ...watching) => {
      const record = room.known.get(name);
      if (record === undefined) throw ledger.missing(name);
      requireProcessor(host);
      return joinOrBegin(room, await sourceAgain(record), ...watching);
    },
    goOn: () => goOn(room),
    has: (name) => room.known.has(name),
    forget: (name) => forget(room, name),
  };
}

interface Room {
  readonly host: InstallHost;
  readonly jobs: Jobs;
  readonly ledger: Ledger;
  /** Failed ones and those whose end a next helper has to bring about; of the others the files know more. */
  readonly known: Map<string, InstallRecord>;
}

function take({ known, ledger }: Room, record: InstallRecord): void {
  known.set(record.name, record);
  if (record.failure !== undefined)
    ledger.setFailure(record.name, record.failure);
}

/** Works on one until it ends, or joins whoever does. */
async function work(
  room: Room,
  record: InstallRecord,
  onProgress?: ProgressListener,
  signal?: AbortSignal,
): Promise<void> {
  const { host, jobs, ledger, known } = room;
  const { name } = record;
  ledger.setFailure(name, undefined);
  const job = (
    onState?: ProgressListener,
    within?: AbortSignal,
  ): Promise<void> =>
    jobs.run(
      { name, kind: "install", onProgress: onState },
      (progress, running) => install(host, record, progress, running),
      within,
    );
  // The helper itself waits for it, so it goes on when everybody else leaves.
  const mine = job().finally(async () => {
    const now = await readInstall(host.layout, name);
    if (now !== undefined) {
      take(room, now);
      return;
    }
    known.delete(name);
    if (ledger.setFailure(name, undefined)) ledger.tell(name);
  });
  mine.catch(() => undefined);
  await job(onProgress, signal);
  await mine;
  ledger.tell(name);
}

/** Goes on with the one of this name, or makes what its machine is and begins. */
async function joinOrBegin(
  room: Room,
  source: InstallSource,
  onProgress?: ProgressListener,
  signal?: AbortSignal,
): Promise<string> {
  const { host, ledger, known } = room;
  const { name, origin } = source;
  const begun = known.get(name);
  if (begun !== undefined && begun.phase !== "failed") {
    if (begun.origin.kind !== origin.kind || begun.origin.path !== origin.path)
      throw taken(name);
    await work(room, begun, onProgress, signal);
    return name;
  }
  if (begun === undefined && ledger.known(name)) throw taken(name);
  await requireDrivers(source.drivers);
  const record = await newRecord(host, source);
  const { log, picture } = installFiles(host.layout, record);
  for (const path of [log, picture]) await rm(path, { force: true });
  known.set(name, record);
  await writeInstall(host.layout, record);
  await work(room, record, onProgress, signal);
  return name;
}

const newRecord = async (
  { cpus, memoryMiB }: InstallHost,
  source: InstallSource,
): Promise<InstallRecord> => ({
  version: 2,
  id: randomBytes(4).toString("hex"),
  startedAt: new Date().toISOString(),
  ...source,
  hardware: {
    uuid: randomUUID(),
    macAddress: newMacAddress(),
    vmGenerationId: randomUUID(),
    cpus,
    memoryMiB,
    tpm: (await swtpmProgram()) !== undefined,
  },
  phase: "preparing",
  launches: 0,
  restarts: 0,
});

function requireProcessor({ architecture }: InstallHost): void {
  if (architecture !== "amd64")
    throw refused(
      "host.notSupported",
      "Windows can only be installed and prepared on computers with Intel or AMD processors.",
    );
}

async function goOn(room: Room): Promise<void> {
  const { layout, log } = room.host;
  const open = [...room.known.values()].filter(
    ({ phase }) => phase !== "failed",
  );
  await endStrayMachines(
    layout,
    open.map(({ id }) => id),
  );
  for (const record of open) {
    if (record.failure !== undefined) continue;
    log.info("goes on with Windows", {
      image: record.name,
      phase: record.phase,
    });
    work(room, record).catch((error: unknown) => {
      if (!(error instanceof GuesthouseError))
        log.error("the work on Windows ended", { error });
    });
  }
}

async function forget(
  { host, jobs, ledger, known }: Room,
  name: string,
): Promise<boolean> {
  const record = known.get(name);
  if (record === undefined || jobs.state(name) !== undefined) return false;
  await forgetInstall(host, record);
  known.delete(name);
  ledger.setFailure(name, undefined);
  return true;
}

const taken = (name: string): GuesthouseError =>
  refused("images.exists", `There is an image “${name}” already.`, {
    remedy: "Give this one another name, or delete that image first.",
  });
