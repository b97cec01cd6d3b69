import { join } from "node:path";
import type { Log } from "../../base/log.ts";
import type {
  HandlersOf,
  MethodName,
  NoticeName,
  NoticeParams,
} from "../../protocol/contract.ts";
import type { helperMethods } from "../../protocol/helper.ts";
import type { Machine } from "../../protocol/machines.ts";
import { chooseAccelerator } from "../host/accelerator.ts";
import { hostHandlers } from "../host/handlers.ts";
import { findTools, requireTool } from "../host/tools.ts";
import { imageHandlers } from "../images/handlers.ts";
import { createImages } from "../images/images.ts";
import { createHttp } from "../images/http.ts";
import { stalePrebuilds } from "../images/stalePrebuilds.ts";
import {
  hostArchitecture,
  qemuArchitecture,
  surveyHost,
} from "../machines/environment.ts";
import { guestReach } from "../machines/guestReach.ts";
import { machineHandlers } from "../machines/handlers.ts";
import { lendDisk, lentSerial } from "../machines/lendDisk.ts";
import { idleRulesFrom, watchIdle } from "../machines/idle.ts";
import { isLiving } from "../machines/lifecycle.ts";
import { defaultImage, usualSize } from "../machines/create.ts";
import { createMachines } from "../machines/machines.ts";
import { endAbandonedTemplates } from "../machines/makeTemplate.ts";
import { createPool } from "../machines/pool.ts";
import { poolHandlers } from "../machines/poolHandlers.ts";
import { PoolSizes, poolSizeFrom } from "../machines/poolSizes.ts";
import { MachineRegistry } from "../machines/registry.ts";
import { selfTestHandlers } from "../machines/selfTestHandlers.ts";
import { snapshotHandlers } from "../machines/snapshotHandlers.ts";
import { storageHandlers } from "../machines/storageHandlers.ts";
import { templateHandlers } from "../machines/templateHandlers.ts";
import type { AskForWork } from "../machines/unsaved.ts";
import { createWarm } from "../machines/warm.ts";
import { Templates } from "../snapshots/templates.ts";
import { checkInclude } from "../ssh/checkInclude.ts";
import { writeSshConfig } from "../ssh/config.ts";
import { sshHandlers } from "../ssh/handlers.ts";
import { ensureUserKey } from "../ssh/keys.ts";
import { leasedMachines } from "../ssh/leases.ts";
import { type Launcher, writeLauncher } from "../ssh/launcher.ts";
import type { Layout } from "../store/layout.ts";
import {
  askForWork,
  bringBackHandlers,
  type BringBackDeps,
} from "../workspaces/bringBackHandlers.ts";
import { createPrebuilds } from "../workspaces/prebuild/prebuilds.ts";
import type { DiskWay } from "../workspaces/sendByDisk.ts";
import { workspaceHandlers } from "../workspaces/handlers.ts";
import { credentialsOf } from "../workspaces/features/credentials.ts";
import type { Shares } from "../workspaces/share/shares.ts";
import {
  createWorkspaceRoom,
  type WorkspaceRoom,
} from "../workspaces/upHandlers.ts";
import { machineVerbs } from "./machineVerbs.ts";
import { afterMount, createShares, unforkable } from "./sharedFolders.ts";

export interface CapabilityOptions {
  readonly layout: Layout;
  readonly log: Log;
  readonly tellAll: <N extends NoticeName>(
    name: N,
    params: NoticeParams<N>,
  ) => void;
}

export interface Capabilities {
  readonly handlers: HandlersOf<
    Exclude<MethodName, keyof typeof helperMethods>
  >;
  /** Work that must not be cut off is under way. */
  busy(): boolean;
  machinesRunning(): number;
  livingLogs(): { id: string; path: string }[];
  close(): Promise<void>;
}

/**
 * How ssh runs our proxy: this very program, finding this very data folder, whatever environment ssh was started from.
 */
function launcherOf(layout: Layout): Launcher {
  const env: Record<string, string> = { GUESTHOUSE_HOME: layout.home };
  for (const name of ["ELECTRON_RUN_AS_NODE", "XDG_RUNTIME_DIR"]) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return { command: [process.execPath, join(__dirname, "helper.js")], env };
}

/** Data that ships beside the bundle: `dist/../resources`. */
const resourcesFolder = join(__dirname, "..", "resources");

/** Wires the rooms to each other, once, and takes over what an earlier helper left. */
export async function createCapabilities({
  layout,
  log,
  tellAll,
}: CapabilityOptions): Promise<Capabilities> {
  // The pool comes last of all, as it needs all.
  let nudgePool = (): void => undefined;
  let machineGone: (id: string) => Promise<void> = () => Promise.resolve();
  let shared: (machine: Machine) => void = () => undefined;
  const registry = new MachineRegistry(layout, {
    changed: (machine) => {
      tellAll("machines.changed", { machine });
      shared(machine);
      nudgePool();
    },
    removed: (id, name, revision) => {
      tellAll("machines.removed", { id, name, revision });
      machineGone(id).catch((error: unknown) =>
        log.warn("a workspace's record can't be written", { error }),
      );
    },
  });
  const architecture = hostArchitecture();
  let imagesWorking = new Set<string>();
  const images = await createImages({
    layout,
    resources: resourcesFolder,
    architecture,
    log,
    usedBy: (digest) => registry.usersOf(digest),
    accelerator: async (signal) => {
      const arch = qemuArchitecture(architecture);
      const { path } = requireTool(await findTools(arch, signal), "qemuSystem");
      return chooseAccelerator(
        { binary: path, arch, cachePath: layout.accelerator, log },
        signal,
      );
    },
    onChanged: (image) => {
      imagesWorking = new Set(imagesWorking);
      if (image.state.kind === "working") imagesWorking.add(image.name);
      else imagesWorking.delete(image.name);
      registry.imageChanged(image.name, image.digest);
      tellAll("images.changed", { image });
    },
    onRemoved: (name, revision) => {
      imagesWorking.delete(name);
      registry.imageChanged(name, undefined);
      tellAll("images.removed", { name, revision });
    },
  });
  for (const { name, digest } of await images.list())
    registry.imageChanged(name, digest);

  await ensureUserKey(layout.ssh);
  await writeLauncher(layout.ssh, launcherOf(layout));
  const writeConfig = async (): Promise<void> => {
    await writeSshConfig(
      layout.ssh,
      registry
        .entries()
        .filter(({ state }) => state.kind !== "creating")
        .map(({ record }) => record),
    );
  };
  const templates = new Templates(
    layout,
    {
      changed: (template) => {
        tellAll("templates.changed", { template });
        nudgePool();
      },
      removed: (id, revision) => {
        tellAll("templates.removed", { id, revision });
        nudgePool();
      },
    },
    log,
  );
  await endAbandonedTemplates(layout);
  await templates.load();
  const warm = createWarm({
    layout,
    templates,
    log,
    automatic: process.env["GUESTHOUSE_WARM"] !== "manual",
  });
  const askAboutWork: AskForWork = (id, signal) =>
    askForWork(workspaces, id, signal);
  const machines = createMachines({
    layout,
    registry,
    images,
    templates,
    warm,
    askForWork: askAboutWork,
    log,
  });
  const reach = guestReach({ layout, registry, machines });
  const workspaces: BringBackDeps = {
    ...reach,
    folderOf: (id) => registry.find(id).record.folder,
    scratch: layout.work,
  };
  await machines.adopt();
  // Not before: what no machine of ours needs is ended by then.
  await images.installs.goOn();
  await writeConfig();
  const sizes = new PoolSizes(
    layout.poolSizes,
    poolSizeFrom(process.env["GUESTHOUSE_POOL"]),
  );
  await sizes.load();
  const keeper = createPool({
    layout,
    registry,
    images,
    templates,
    warm,
    sizes,
    log,
  });
  nudgePool = () => keeper.nudge();
  keeper.nudge();

  const ofMachines = machineHandlers({
    layout,
    registry,
    images,
    templates,
    warm,
    log,
    machines,
    pool: keeper,
    askForWork: askAboutWork,
    onRosterChanged: writeConfig,
  });
  const diskWay = (id: string): DiskWay => ({
    lend: (path, work) => lendDisk(id, path, work, { registry, log }),
    serial: lentSerial,
    scratch: layout.work,
  });
  const shares: Shares = createShares({
    reach,
    room: () => workspaceRoom,
    resources: resourcesFolder,
    log,
  });
  const forUp = {
    layout,
    log,
    reach,
    http: createHttp(process.env),
    credentials: credentialsOf(process.env),
    machines: machineVerbs(ofMachines, registry),
    diskWay,
    onLogged: (id: string, offset: number, text: string) =>
      tellAll("workspaces.logged", { id, offset, text }),
    onCopied:
      (machine: string) => (progress: { files: number; bytes: number }) =>
        tellAll("workspaces.copied", { machine, ...progress, done: false }),
  };
  const workspaceRoom: WorkspaceRoom = await createWorkspaceRoom({
    ...forUp,
    shares,
    prebuilds: await createPrebuilds({
      ...forUp,
      images,
      resources: resourcesFolder,
      onPrebuilding: (progress) => tellAll("workspaces.prebuilding", progress),
    }),
    images: () => images.list(),
    defaultImage,
    usualSize,
    onChanged: (workspace) => tellAll("workspaces.changed", { workspace }),
    onRemoved: (id, revision) =>
      tellAll("workspaces.removed", { id, revision }),
    onFetching: (url, text) => tellAll("workspaces.fetching", { url, text }),
  });
  machineGone = (id) => workspaceRoom.machineGone(id);
  shared = (machine) => shares.changed(machine);
  for (const entry of registry.entries()) shared(registry.view(entry));
  const ofSnapshots = snapshotHandlers({
    layout,
    registry,
    machines,
    askForWork: askAboutWork,
    unforkable: (id) => unforkable(workspaceRoom, id),
    log,
    usersChanged: (digest) => images.usersChanged(digest),
    survey: async (digest, signal) => {
      const { architecture } = await images.resolve(digest);
      return surveyHost(layout, architecture, log, signal);
    },
    onRosterChanged: writeConfig,
  });
  const idle = watchIdle({
    rules: idleRulesFrom(process.env),
    running: () =>
      registry
        .entries()
        .filter(({ state }) => state.kind === "running")
        .map((entry) => registry.view(entry)),
    connected: () => leasedMachines(layout.leases),
    isBusy: (id) => registry.locks.busy(id) || workspaceRoom.works(id),
    afterUse: (id) => workspaceRoom.afterUse(id),
    act: async (machine, act) => {
      if (act !== "suspend") return workspaceRoom.endUse(machine, act);
      const { signal } = new AbortController();
      const context = { requestId: "idle", signal };
      await ofSnapshots["machines.suspend"]({ machine }, context);
    },
    log,
  });

  const templatesOfGoneImages = (): Promise<void> =>
    templates.keepOnly((digest) => registry.imageNames(digest).length > 0);

  const handlers: Capabilities["handlers"] = {
    ...hostHandlers({
      home: layout.home,
      acceleratorCache: layout.accelerator,
      networkCache: layout.networkTrials,
      log,
      extraChecks: async () => [await checkInclude(layout.ssh.config)],
    }),
    ...imageHandlers(images, templatesOfGoneImages),
    ...ofMachines,
    ...selfTestHandlers({ layout, registry, machines }, resourcesFolder),
    ...workspaceRoom.handlers,
    ...templateHandlers({ images, templates, warm, pool: keeper }),
    ...poolHandlers(keeper),
    ...ofSnapshots,
    ...storageHandlers({
      layout,
      registry,
      imageNames: (digest) => registry.imageNames(digest),
      imagesWorking: () => imagesWorking.size > 0 || workspaceRoom.busy(),
      pooled: (id) => keeper.titleOf(id),
      removeTemplate: (id) => templates.remove(id),
      staleImages: async () =>
        stalePrebuilds(await images.list(), layout, Date.now()),
      removeImage: async (digest) => {
        const [name] = registry.imageNames(digest);
        if (name === undefined) return undefined;
        // Refused where a machine came in between.
        const freed = await images.remove(name).catch(() => undefined);
        await templatesOfGoneImages();
        return freed;
      },
    }),
    ...sshHandlers({ files: layout.ssh, ...afterMount(reach, shares) }),
    ...bringBackHandlers(workspaces),
    ...workspaceHandlers({
      ...reach,
      diskWay,
      onCopied: (progress) => tellAll("workspaces.copied", progress),
      onFolder: (id, folder) => registry.rewrite(registry.find(id), { folder }),
    }),
  };

  return {
    handlers,
    busy: () =>
      imagesWorking.size > 0 ||
      warm.busy() ||
      workspaceRoom.busy() ||
      shares.size > 0 ||
      idle.watching() ||
      registry
        .entries()
        .some(({ state }) =>
          ["creating", "stopping", "deleting"].includes(state.kind),
        ),
    machinesRunning: () =>
      registry.entries().filter(({ state }) => isLiving(state)).length,
    livingLogs: () =>
      registry
        .entries()
        .filter(({ live }) => live !== undefined)
        .map(({ record }) => ({
          id: record.id,
          path: layout.machine(record.id).log,
        })),
    async close() {
      idle.close();
      await workspaceRoom.close();
      await shares.close();
      await forUp.http.close();
      machines.leave();
      await keeper.close();
      await warm.close();
      await images.close();
    },
  };
}
