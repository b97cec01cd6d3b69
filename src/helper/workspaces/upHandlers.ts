import { cpus, totalmem } from "node:os";
import type { HandlersOf, RequestContext } from "../../protocol/contract.ts";
import type {
  CameUp,
  devcontainerMethods,
  Workspace,
} from "../../protocol/devcontainers.ts";
import { refused } from "../../protocol/failure.ts";
import { promiseWithResolvers } from "../../base/deadline.ts";
import { readLog } from "../machines/bootLog.ts";
import { commandText } from "./devcontainer/commands.ts";
import { findConfigs } from "./devcontainer/find.ts";
import { type Configuration, readConfiguration } from "./devcontainer/read.ts";
import type { MachineSize } from "./devcontainer/size.ts";
import { recommendedSecrets } from "./editor/secrets.ts";
import { runScript } from "./up/guestScripts.ts";
import { requireConsent } from "./up/hostCommand.ts";
import { planWorkspace, type Plan } from "./up/plan.ts";
import {
  type WorkspaceEntry,
  workspaceId,
  WorkspaceRegistry,
} from "./up/registry.ts";
import { bringUp, type Up, type UpDeps, type UpParams } from "./up/up.ts";

export interface UpHandlerDeps extends Omit<UpDeps, "registry"> {
  readonly images: () => Promise<readonly string[]>;
  readonly defaultImage: string;
  readonly usualSize: (defaults: Partial<MachineSize>) => MachineSize;
  readonly onChanged: (workspace: Workspace) => void;
}

/** The VM goes first; with `discard` even one that holds work that is nowhere else. */
interface Anew {
  readonly discard: boolean;
}

export interface WorkspaceRoom {
  readonly handlers: HandlersOf<keyof typeof devcontainerMethods>;
  /** Folders are being brought up. */
  busy(): boolean;
  /** Ends what is under way and waits for it. Guests go on. */
  close(): Promise<void>;
}

const defaultLogBytes = 1024 * 1024;
const mib = 1024 ** 2;

/** The contract's methods for folders and their VMs. */
export async function createWorkspaceRoom(
  deps: UpHandlerDeps,
): Promise<WorkspaceRoom> {
  const { machines, layout, log } = deps;
  const registry = new WorkspaceRegistry(layout, machines, deps.onChanged);
  await registry.load();
  /** What each workspace's `up` can be ended by. */
  const running = new Map<string, AbortController>();

  const plan = async (
    configuration: Configuration,
    { localEnv, image, defaults = {} }: UpParams,
  ): Promise<Plan> => {
    const { cpus: cpuCount, memoryMiB, diskGiB } = defaults;
    return planWorkspace(configuration, {
      localEnv: localEnv ?? {},
      images: await deps.images(),
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

  const up = async (
    params: UpParams,
    { signal }: RequestContext,
    anew?: Anew,
  ): Promise<CameUp> => {
    const configuration = await readConfiguration(params.folder, params.config);
    // Whatever is refused is refused before anything is made, run or deleted.
    requireConsent(configuration, params.initialize ?? "refuse", params.digest);
    const planned = await plan(configuration, params);
    const entry = await registry.claim(configuration);
    if (anew !== undefined) running.get(entry.record.id)?.abort();
    const controller = new AbortController();
    const onAbort = (): void => controller.abort();
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    const under = begin(
      entry,
      configuration,
      planned,
      params,
      anew,
      controller,
    );
    try {
      if (params.until !== "waitFor") return await under.ended;
      // The rest goes on whoever listens; how it ends stands in the workspace's state.
      under.ended.catch((error: unknown) =>
        log.info("the rest of an up failed", { folder: params.folder, error }),
      );
      return await under.openable;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  };

  /** The workspace of a folder that was brought up before. */
  const known = async (folder: string, config?: string) => {
    const configuration = await readConfiguration(folder, config);
    const entry = registry.find(configuration);
    if (entry !== undefined) return entry;
    throw refused(
      "workspaces.unknown",
      `${configuration.folder} was not brought up yet.`,
      { remedy: "Run `guesthouse up` first." },
    );
  };

  return {
    handlers: {
      "workspaces.list": () =>
        Promise.resolve({
          workspaces: registry
            .entries()
            .map((entry) => registry.view(entry))
            .sort((a, b) => a.folder.localeCompare(b.folder)),
        }),
      "workspaces.read": async ({ folder, config }) => {
        const configuration = await readConfiguration(folder, config);
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
          ...(entry === undefined ? {} : { workspace: registry.view(entry) }),
        };
      },
      "workspaces.configs": async ({ folder }) => ({
        configs: await findConfigs(folder),
      }),
      "workspaces.up": (params, context) => up(params, context),
      "workspaces.rebuild": ({ discard = false, ...params }, context) =>
        up(params, context, { discard }),
      "workspaces.down": async (params, { signal }) => {
        const entry = await known(params.folder, params.config);
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
      "workspaces.exec": async ({ folder, config, command }, { signal }) => {
        const entry = await known(folder, config);
        const machine = registry.machineOf(entry);
        const { made } = entry.record;
        if (machine === undefined || made === undefined)
          throw refused(
            "workspaces.unknown",
            `The VM of ${entry.record.folder} is not there.`,
            { remedy: "Run `guesthouse up` first." },
          );
        await machines.start(machine.id, signal);
        return {
          alias: machine.alias,
          remoteCommand: runScript(made.workspaceFolder, command),
        };
      },
      "workspaces.log": async ({ id, offset, maxBytes }) =>
        readLog(
          layout.workspace(id).log,
          offset ?? 0,
          maxBytes ?? defaultLogBytes,
        ),
    },
    busy: () => running.size > 0,
    close: async () => {
      const ids = [...running.keys()];
      for (const controller of running.values()) controller.abort();
      await Promise.all(
        ids.map((id) => registry.locks.run(id, () => Promise.resolve())),
      );
    },
  };
}
