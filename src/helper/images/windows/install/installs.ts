import { randomBytes, randomUUID } from "node:crypto";
import { access, rm } from "node:fs/promises";
import { GuesthouseError, refused } from "../../../../protocol/failure.ts";
import { newMacAddress } from "../../../networks/macAddress.ts";
import { swtpmProgram } from "../../../qemu/swtpm.ts";
import type { Jobs, ProgressListener } from "../../jobs.ts";
import type { Ledger } from "../../ledger.ts";
import { probeDiskFormat } from "../../diskFormat.ts";
import { importName } from "../../importName.ts";
import { requireAccountName } from "../answerFile.ts";
import { inspectWindowsIso } from "../inspectIso.ts";
import type { InstallHost } from "./host.ts";
import { forgetInstall, install } from "./install.ts";
import { endStrayMachines } from "./machine.ts";
import { defaultUser, type InstallChoice, planInstall } from "./plan.ts";
import {
  type DiskOrigin,
  installFiles,
  type InstallRecord,
  type IsoOrigin,
  readInstall,
  readInstalls,
  writeInstall,
} from "./record.ts";

export interface InstallWish extends InstallChoice {
  readonly iso: string;
  /** ISO of virtio drivers and the guest agent. */
  readonly drivers: string;
  readonly openSsh?: string | undefined;
}

/** A disk that came with Windows, to be prepared by the same steps. */
export interface PrepareWish extends Pick<InstallChoice, "name" | "user"> {
  readonly disk: string;
  /** `sha256:…` or `sha512:…` of the file. */
  readonly checksum?: string | undefined;
  /** For SSH, where no agent answers. */
  readonly login?: DiskOrigin["login"];
  readonly drivers: string;
  readonly openSsh?: string | undefined;
}

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
  const { layout, log } = host;
  /** Failed ones and those whose end a next helper has to bring about; of the others the files know more. */
  const known = new Map<string, InstallRecord>();
  const take = (record: InstallRecord): void => {
    known.set(record.name, record);
    if (record.failure !== undefined)
      ledger.setFailure(record.name, record.failure);
  };
  for (const record of await readInstalls(layout, log)) take(record);

  const work = async (
    record: InstallRecord,
    onProgress?: ProgressListener,
    signal?: AbortSignal,
  ): Promise<void> => {
    const { name } = record;
    ledger.setFailure(name, undefined);
    const job = (
      onState?: ProgressListener,
      within?: AbortSignal,
    ): Promise<void> =>
      jobs.run(
        name,
        "install",
        (progress, running) => install(host, record, progress, running),
        onState,
        within,
      );
    // The helper itself waits for it, so it goes on when everybody else leaves.
    const mine = job().finally(async () => {
      const now = await readInstall(layout, name);
      if (now !== undefined) {
        take(now);
        return;
      }
      known.delete(name);
      if (ledger.setFailure(name, undefined)) ledger.tell(name);
    });
    mine.catch(() => undefined);
    await job(onProgress, signal);
    await mine;
    ledger.tell(name);
  };

  /** Goes on with the one of this name, or makes what its machine is and begins. */
  const joinOrBegin = async (
    wish: Wish,
    onProgress?: ProgressListener,
    signal?: AbortSignal,
  ): Promise<string> => {
    const { name, origin } = wish;
    const begun = known.get(name);
    if (begun !== undefined && begun.phase !== "failed") {
      if (
        begun.origin.kind !== origin.kind ||
        begun.origin.path !== origin.path
      )
        throw taken(name);
      await work(begun, onProgress, signal);
      return name;
    }
    if (begun === undefined && ledger.known(name)) throw taken(name);
    await requireFile(wish.drivers, driversNeeded);
    const record: InstallRecord = {
      version: 2,
      id: randomBytes(4).toString("hex"),
      startedAt: new Date().toISOString(),
      ...wish,
      hardware: {
        uuid: randomUUID(),
        macAddress: newMacAddress(),
        vmGenerationId: randomUUID(),
        cpus: host.cpus,
        memoryMiB: host.memoryMiB,
        tpm: (await swtpmProgram()) !== undefined,
      },
      phase: "preparing",
      launches: 0,
      restarts: 0,
    };
    const { log: logPath, picture } = installFiles(layout, record);
    for (const path of [logPath, picture]) await rm(path, { force: true });
    known.set(name, record);
    await writeInstall(layout, record);
    await work(record, onProgress, signal);
    return name;
  };
  const requireProcessor = (): void => {
    if (host.architecture !== "amd64")
      throw refused(
        "host.notSupported",
        "Windows can only be installed and prepared on computers with Intel or AMD processors.",
      );
  };

  const installs: Installs = {
    install: async (wish, onProgress, signal) => {
      requireProcessor();
      const plan = planInstall(await inspectWindowsIso(wish.iso), wish);
      const { index, name: title, editionId, version } = plan.edition;
      const origin: IsoOrigin = {
        kind: "iso",
        path: wish.iso,
        edition: {
          ...{ index, name: title },
          ...(editionId === undefined ? {} : { editionId }),
          ...(version === undefined ? {} : { version }),
        },
        language: plan.language,
        computerName: plan.computerName,
        driverSystems: [...plan.driverSystems],
      };
      return joinOrBegin(
        { name: plan.name, user: plan.user, origin, ...mediaOf(wish) },
        onProgress,
        signal,
      );
    },
    prepare: async (wish, onProgress, signal) => {
      requireProcessor();
      const { disk: path, checksum, login, user = defaultUser } = wish;
      requireAccountName(user);
      for (const file of [login?.passwordFile, login?.keyFile])
        if (file !== undefined)
          await requireFile(
            file,
            "Give the file with the password or the key.",
          );
      const origin: DiskOrigin = {
        ...{ kind: "disk", path, format: await probeDiskFormat(path) },
        ...(checksum === undefined ? {} : { checksum }),
        ...(login === undefined ? {} : { login }),
      };
      return joinOrBegin(
        { name: importName(wish.name, path), user, origin, ...mediaOf(wish) },
        onProgress,
        signal,
      );
    },
    again: async (name, onProgress, signal) => {
      const record = known.get(name);
      if (record === undefined) throw ledger.missing(name);
      const { origin, user } = record;
      const wish = { name, user, ...mediaOf(record) };
      return origin.kind === "disk"
        ? installs.prepare(
            {
              ...wish,
              disk: origin.path,
              checksum: origin.checksum,
              login: origin.login,
            },
            onProgress,
            signal,
          )
        : installs.install(
            {
              ...wish,
              iso: origin.path,
              edition: String(origin.edition.index),
              language: origin.language,
            },
            onProgress,
            signal,
          );
    },
    goOn: async () => {
      const open = [...known.values()].filter(
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
        work(record).catch((error: unknown) => {
          if (!(error instanceof GuesthouseError))
            log.error("the work on Windows ended", { error });
        });
      }
    },
    has: (name) => known.has(name),
    forget: async (name) => {
      const record = known.get(name);
      if (record === undefined || jobs.state(name) !== undefined) return false;
      await forgetInstall(host, record);
      known.delete(name);
      ledger.setFailure(name, undefined);
      return true;
    },
  };
  return installs;
}

type Wish = Pick<
  InstallRecord,
  "name" | "user" | "origin" | "drivers" | "openSsh"
>;

const mediaOf = ({
  drivers,
  openSsh,
}: Pick<InstallWish, "drivers" | "openSsh">): Pick<
  InstallRecord,
  "drivers" | "openSsh"
> => ({ drivers, ...(openSsh === undefined ? {} : { openSsh }) });

const taken = (name: string): GuesthouseError =>
  refused("images.exists", `There is an image “${name}” already.`, {
    remedy: "Give this one another name, or delete that image first.",
  });

const driversNeeded =
  "Give the ISO of the virtio drivers (virtio-win.iso), which brings the guest agent too.";

async function requireFile(path: string, remedy: string): Promise<void> {
  try {
    await access(path);
  } catch {
    throw refused("request.invalid", `There is no file ${path}.`, { remedy });
  }
}
