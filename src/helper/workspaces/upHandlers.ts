import { realpath } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import type { HandlersOf, RequestContext } from "../../protocol/contract.ts";
import type {
  CameUp,
  devcontainerMethods,
  Workspace,
} from "../../protocol/devcontainers.ts";
import type { branchMethods } from "../../protocol/branches.ts";
import { bug, refused, toFailure } from "../../protocol/failure.ts";
import { promiseWithResolvers } from "../../base/deadline.ts";
import { readLog } from "../machines/bootLog.ts";
import type { AfterUse } from "../machines/idle.ts";
import { commandText } from "./devcontainer/commands.ts";
import { branchHandlers } from "./branchHandlers.ts";
import { Clones } from "./branches/clones.ts";
import {
  configsIn,
  openConfiguration,
  type Place,
} from "./branches/openConfiguration.ts";
import { type Configuration, readConfiguration } from "./devcontainer/read.ts";
import type { MachineSize } from "./devcontainer/size.ts";
import { lockFolder } from "./features/ofFolder.ts";
import type { Prebuilds } from "./prebuild/prebuilds.ts";
import type { FilesWish } from "./share/filesWay.ts";
import { filesWish, type ShareRoom, shareRoom } from "./share/ofWorkspace.ts";
import { recommendedSecrets } from "./editor/secrets.ts";
import { afterUseOf } from "./up/afterUse.ts";
import { guestWays } from "./up/guestWays.ts";
import { requireConsent } from "./up/hostCommand.ts";
import { noteInLog } from "./up/log.ts";
import {
  imagesOf,
  type KnownImage,
  planWorkspace,
  type Plan,
} from "./up/plan.ts";
import {
  type WorkspaceEntry,
  workspaceId,
  WorkspaceRegistry,
} from "./up/registry.ts";
import { bringUp, type Up } from "./up/up.ts";
import type { UpDeps, UpParams } from "./up/upDeps.ts";

export interface UpHandlerDeps extends Omit<UpDeps, "registry" | "prebuilds"> {
  readonly prebuilds?: Prebuilds;
  readonly images: () => Promise<readonly KnownImage[]>;
  readonly defaultImage: string;
  readonly usualSize: (defaults: Partial<MachineSize>) => MachineSize;
  readonly onChanged: (workspace: Workspace) => void;
  readonly onRemoved: (id: string, revision: number) => void;
  readonly onFetching: (url: string, text: string) => void;
}

/** The VM goes first; with `discard` even one that holds work that is nowhere else. */
interface Anew {
  readonly discard: boolean;
}

export interface WorkspaceRoom extends ShareRoom {
  readonly handlers: HandlersOf<
    keyof typeof devcontainerMethods | keyof typeof branchMethods
  >;
  /** A machine was deleted, by whatever way. */
  machineGone(id: string): Promise<void>;
  /** A folder is being brought up in this machine. */
  works(machine: string): boolean;
  /** What the machine's workspace wants once its last connection has ended. */
  afterUse(machine: string): AfterUse | undefined;
  /** Does that. A machine with work that is nowhere else is stopped and kept, and its log says so. */
  endUse(machine: string, act: AfterUse): Promise<void>;
  /** Folders are being brought up. */
  busy(): boolean;
  /** Ends what is under way and waits for it. Guests go on. */
  close(): Promise<void>;
}

const defaultLogBytes = 1024 * 1024;
const mib = 1024 ** 2;

/** As records have it; also of a folder that is gone. */
const realFolder = (folder: string): Promise<string> =>
  realpath(folder).catch(() => folder);

/** The contract's methods for folders and their VMs. */
export async function createWorkspaceRoom(
  deps: UpHandlerDeps,
): Promise<WorkspaceRoom> {
  const { machines, layout, log } = deps;
  const registry = new WorkspaceRegistry(
    layout,
    machines,
    deps.onChanged,
    deps.onRemoved,
  );
  await registry.load();
  const clones = new Clones(layout, deps.onFetching);
  await clones.keepOnly(registry.entries().map(({ record }) => record.folder));
  /** What each workspace's `up` can be ended by. */
  const running = new Map<string, AbortController>();

  const plan = async (
    configuration: Configuration,
    { localEnv, image, defaults = {} }: UpParams,
    files?: FilesWish,
  ): Promise<Plan> => {
    const { cpus: cpuCount, memoryMiB, diskGiB } = defaults;
    return planWorkspace(configuration, {
      localEnv: localEnv ?? {},
      ...imagesOf(await deps.images()),
      wantedImage: image,
      defaultImage: defaults.image ?? deps.defaultImage,
      usual: deps.usualSize({
        ...(cpuCount === undefined ? {} : { cpus: cpuCount }),
        ...(memoryMiB === undefined ? {} : { memoryMiB }),
        ...(diskGiB === undefined ? {} : { diskGiB }),
      }),
      host: {
        cpus: cpus().length,
        memoryMiB: Math.floor(totalmem() / mib),
      },
      ...(files === undefined ? {} : { files }),
    });
  };

  /** Deletes the workspace's machine, if it is there still. The name and alias stay with the workspace. */
  const removeMachine = async (
    entry: WorkspaceEntry,
    discard: boolean,
    signal: AbortSignal,
  ): Promise<void> => {
    const machine = registry.machineOf(entry);
    if (machine !== undefined)
      await machines.remove(machine.id, { discard }, signal);
    await registry.rewrite(entry, { made: undefined, failed: undefined });
  };

  const endUse = (entry: WorkspaceEntry, act: AfterUse): Promise<void> =>
    registry.locks.run(entry.record.id, async () => {
      const machine = registry.machineOf(entry);
      if (machine === undefined) return;
      const { signal } = new AbortController();
      if (act === "delete")
        try {
          await removeMachine(entry, false, signal);
          return;
        } catch (error) {
          const { code, message } = toFailure(error);
          if (code !== "machines.unsavedWork") throw error;
          const { id } = entry.record;
          const note = `The VM is kept, and stopped, although it is ephemeral. ${message}`;
          await noteInLog(layout.workspace(id).log, note, (offset, text) =>
            deps.onLogged(id, offset, text),
          );
        }
      await machines.stop(machine.id, signal);
    });

  /** Queues behind whatever is done to this workspace now, and brings it up. */
  const begin = (
    entry: WorkspaceEntry,
    configuration: Configuration,
    planned: Plan,
    params: UpParams,
    anew: Anew | undefined,
    controller: AbortController,
  ): Up => {
    const { id } = entry.record;
    const openable = promiseWithResolvers<CameUp>();
    const ended = registry.locks.run(id, async () => {
      controller.signal.throwIfAborted();
      running.set(id, controller);
      try {
        if (anew !== undefined)
          await removeMachine(entry, anew.discard, controller.signal);
        const under = bringUp(
          entry,
          configuration,
          planned,
          params,
          { ...deps, registry },
          controller.signal,
        );
        under.openable.then(openable.resolve, openable.reject);
        return await under.ended;
      } finally {
        running.delete(id);
      }
    });
    ended.catch(openable.reject);
    return { openable: openable.promise, ended };
  };

  /** Refuses before anything is made, run or deleted, else begins. */
  const upFrom = async (
    configuration: Configuration,
    params: UpParams,
    controller: AbortController,
    anew: Anew | undefined,
  ): Promise<Up> => {
    requireConsent(configuration, params.initialize ?? "refuse", params.digest);
    const found = anew === undefined ? registry.find(configuration) : undefined;
    const wish = filesWish(params, found, registry);
    const planned = await plan(configuration, params, wish);
    const entry = await registry.claim(
      configuration,
      (await clones.ofFolder(configuration.folder))?.url,
    );
    const afterUse = afterUseOf(planned.file);
    if (entry.record.afterUse !== afterUse)
      await registry.rewrite(entry, { afterUse });
    if (anew !== undefined) running.get(entry.record.id)?.abort();
    return begin(entry, configuration, planned, params, anew, controller);
  };

  const up = async (
    params: UpParams,
    { signal }: RequestContext,
    anew?: Anew,
  ): Promise<CameUp> => {
    const opened = await openConfiguration(params, layout.work, signal);
    const close = (): Promise<void> =>
      opened[Symbol.asyncDispose]().catch((error: unknown) =>
        log.warn("a branch's files can't be removed", { error }),
      );
    const controller = new AbortController();
    const onAbort = (): void => controller.abort();
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      const { configuration } = opened;
      const under = await upFrom(configuration, params, controller, anew).catch(
        async (error: unknown) => {
          await close();
          throw error;
        },
      );
      // Its files are needed for as long as it goes on, whoever waits.
      const ended = under.ended.finally(close);
      if (params.until !== "waitFor") return await ended;
      // The rest goes on whoever listens; how it ends stands in the workspace's state.
      ended.catch((error: unknown) =>
        log.info("the rest of an up failed", { folder: params.folder, error }),
      );
      return await under.openable;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  };

  /** The workspace of a folder, or of a branch, that was brought up before. A branch may be gone by now. */
  const known = async ({
    folder,
    config,
    branch,
  }: Place): Promise<WorkspaceEntry> => {
    const entry =
      branch === undefined
        ? registry.find(await readConfiguration(folder, config))
        : registry.findBranch(await realFolder(folder), branch, config);
    if (entry !== undefined) return entry;
    throw refused(
      "workspaces.unknown",
      `${folder}${branch === undefined ? "" : `, branch ${branch},`} was not brought up yet.`,
      { remedy: "Run `guesthouse up` first." },
    );
  };

  return {
    handlers: {
      ...branchHandlers({
        layout,
        registry,
        machines,
        clones,
        end: (id) => running.get(id)?.abort(),
        removeMachine,
      }),
      "workspaces.list": () =>
        Promise.resolve({
          workspaces: registry
            .entries()
            .map((entry) => registry.view(entry))
            .sort((a, b) => a.folder.localeCompare(b.folder)),
        }),
      "workspaces.read": async (params, { signal }) => {
        await using opened = await openConfiguration(
          params,
          layout.work,
          signal,
        );
        const { configuration } = opened;
        const { path, file } = configuration;
        const entry = registry.find(configuration);
        return {
          id: workspaceId(configuration),
          ...(path === undefined ? {} : { config: path }),
          digest: configuration.digest,
          warnings: [...configuration.warnings],
          localVariables: [...configuration.localVariables],
          secrets: recommendedSecrets(file),
          ...(file.initializeCommand === undefined
            ? {}
            : { initializeCommand: commandText(file.initializeCommand) }),
          ...(file.customizations?.guesthouse?.files === undefined
            ? {}
            : { files: file.customizations.guesthouse.files }),
          ...(entry === undefined ? {} : { workspace: registry.view(entry) }),
        };
      },
      "workspaces.configs": async (params, { signal }) => ({
        configs: await configsIn(params, layout.work, signal),
      }),
      "workspaces.up": (params, context) => up(params, context),
      "workspaces.rebuild": ({ discard = false, ...params }, context) =>
        up(params, context, { discard }),
      "workspaces.prebuild": async (params, { signal }) => {
        const { initialize, digest } = params;
        await using opened = await openConfiguration(
          params,
          layout.work,
          signal,
        );
        const { configuration } = opened;
        requireConsent(configuration, initialize ?? "refuse", digest);
        const planned = await plan(configuration, params);
        if (deps.prebuilds === undefined)
          throw bug("No prebuilds can be made here.");
        return await deps.prebuilds.make(
          configuration,
          planned,
          params,
          signal,
        );
      },
      "workspaces.down": async (params, { signal }) => {
        const entry = await known(params);
        const { id } = entry.record;
        running.get(id)?.abort();
        await registry.locks.run(id, async () => {
          const machine = registry.machineOf(entry);
          if (params.delete === true)
            await removeMachine(entry, params.discard ?? false, signal);
          else if (machine !== undefined)
            await machines.stop(machine.id, signal);
        });
        return { workspace: registry.view(entry) };
      },
      "workspaces.lock": async ({ folder, config }, { signal }) => {
        const configuration = await readConfiguration(folder, config);
        const locked = await lockFolder(configuration, deps, signal);
        return { ...locked, features: [...locked.features] };
      },
      "workspaces.exec": async ({ command, ...place }, { signal }) => {
        const entry = await known(place);
        const machine = registry.machineOf(entry);
        const { made } = entry.record;
        if (machine === undefined || made === undefined)
          throw refused(
            "workspaces.unknown",
            `The VM of ${entry.record.folder} is not there.`,
            { remedy: "Run `guesthouse up` first." },
          );
        await machines.start(machine.id, signal);
        const { remoteCommand } = guestWays[machine.os];
        return {
          alias: machine.alias,
          remoteCommand: remoteCommand(made.workspaceFolder, command),
        };
      },
      "workspaces.log": async ({ id, offset, maxBytes }) =>
        readLog(
          layout.workspace(id).log,
          offset ?? 0,
          maxBytes ?? defaultLogBytes,
        ),
    },
    afterUse: (machine) => registry.ofMachine(machine)?.record.afterUse,
    endUse: async (machine, act) => {
      const entry = registry.ofMachine(machine);
      if (entry !== undefined) await endUse(entry, act);
    },
    ...shareRoom(registry),
    machineGone: (id) => registry.machineGone(id),
    works: (machine) =>
      running.has(registry.ofMachine(machine)?.record.id ?? ""),
    busy: () => running.size > 0 || deps.prebuilds?.busy() === true,
    close: async () => {
      const ids = [...running.keys()];
      for (const controller of running.values()) controller.abort();
      await Promise.all(
        ids.map((id) => registry.locks.run(id, () => Promise.resolve())),
      );
      await deps.prebuilds?.close();
    },
  };
}
